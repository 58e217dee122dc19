//! A registry that goes away, comes back, or has given the run up.

use std::net::TcpListener;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Run, serve, status, until};
use crate::support::database::{Engine, TestDatabase};
use crate::support::server::TestServer;

/// A load that ends with 0 once it is told to.
const UNTIL_TOLD: &str = "trap 'exit 0' USR1; trap 'exit 8' TERM; echo ready; while :; do sleep 300 & wait; done";

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

#[test]
fn a_registry_that_is_away_at_the_start_fails_the_run_or_lets_it_run_as_told() {
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let script = ["--", "sh", "-c", "echo started${PERFREG_RUN_ID}; exit 3"];
    let mut run = Run::start(&nowhere, &[&["--retry-for", "0"], &script[..]].concat());
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (69, ""), "{log}");
    assert!(log.contains("cannot reach the registry at"), "{log}");
    let mut run = Run::start(&nowhere, &[&["--retry-for", "0", "--if-unreachable", "run"], &script[..]].concat());
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (3, "started\n"), "{log}");
    assert!(log.contains("WARNING: cannot reach the registry") && log.contains("WITHOUT a registration"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_hangs_at_the_start_is_tried_for_no_longer_than_told() {
    let (server, _database) = serve().await;
    server.signal("STOP");
    let options = ["--retry-for", "2s", "--", "sh", "-c", "echo started; exit 3"];
    let (code, log) = Run::start(&server.url, &options).end();
    assert_eq!(code, 69, "{log}");
    assert!(log.contains("it does not answer"), "{log}");
    let mut run = Run::start(&server.url, &[&["--if-unreachable", "run"], &options[..]].concat());
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (3, "started\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_is_heard_while_a_registry_that_hangs_is_told_the_end() {
    let (server, _database) = serve().await;
    let mut run = Run::start(&server.url, &["--", "sh", "-c", UNTIL_TOLD]);
    run.until_it_prints("ready");
    server.signal("STOP");
    run.signal("USR1");
    let children = format!("/proc/{0}/task/{0}/children", run.child.id());
    until("the end of the load", || std::fs::read_to_string(&children).expect("Linux").is_empty());
    run.signal("INT");
    let (code, log) = run.end();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("interrupted before the end of run 1 was told"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_comes_late_is_waited_for() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let port = free_port();
    let mut run = Run::start(&format!("http://127.0.0.1:{port}"), &["--", "true"]);
    run.until_it_says("trying again for 30s");
    let server = TestServer::start_on(port, &database.url);
    assert_eq!(run.end().0, 0);
    assert_eq!(status(&server, 1).await, "success");
}

/// A URL at which the server is found, but whose first answer never arrives.
async fn lose_first_answer(server: &TestServer) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let target = format!("127.0.0.1:{}", server.port());
    tokio::spawn(async move {
        let mut is_first = true;
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&target).await.expect("the server is there");
            if std::mem::replace(&mut is_first, false) {
                let (mut asking, mut sending) = client.split();
                let (mut answering, mut receiving) = server.split();
                tokio::select! {
                    _ = tokio::io::copy(&mut asking, &mut receiving) => {}
                    answer = answering.read_u8() => assert!(answer.is_ok(), "it was answered"),
                }
                sending.shutdown().await.expect("the client is there");
            } else {
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
            }
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_whose_answer_is_lost_is_asked_for_again_and_starts_once() {
    let (server, _database) = serve().await;
    let mut run =
        Run::start(&lose_first_answer(&server).await, &["--location", "here", "--factor", "0.6", "--", "true"]);
    let (code, log) = run.end();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("trying again"), "{log}");
    let history = server.http().get("/history").await.json();
    let executions = history["executions"].as_array().expect("executions");
    assert_eq!(executions.len(), 1, "{history}");
    assert_eq!(executions[0]["status"], "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_goes_on_while_the_registry_is_away_and_its_end_is_told_afterwards() {
    let (mut server, database) = serve().await;
    let mut run = Run::start(&server.url, &["--lease", "10s", "--", "sh", "-c", UNTIL_TOLD]);
    run.until_it_prints("ready");
    server.kill();
    run.until_it_says("the load goes on, and it is tried again");
    let mut server = TestServer::start_on(server.port(), &database.url);
    run.until_it_says("the registry can be reached again");
    server.kill();
    run.signal("USR1");
    run.until_it_says("the end of run 1 is told again for 120s");
    let server = TestServer::start_on(server.port(), &database.url);
    let (code, log) = run.end();
    assert_eq!(code, 0, "{log}");
    assert_eq!(status(&server, 1).await, "success");
}

/// Lets another server give the run up while this one is away, and starts it again.
fn lose(mut server: TestServer, database: &TestDatabase, run: &Run) -> TestServer {
    server.kill();
    run.until_it_says("the load goes on, and it is tried again");
    let give_up = "UPDATE test_executions SET status = 'failure', end_reason = 'lost', end_time = start_time;
                   UPDATE perfreg_locations SET used_millionths = 0, running = 0, leased = 0, next_due = NULL";
    database.open_file().execute_batch(give_up).expect("valid SQL");
    let server = TestServer::start_on(server.port(), &database.url);
    run.until_it_says("was declared lost");
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_given_up_stops_its_load() {
    let (server, database) = serve().await;
    let mut run = Run::start(&server.url, &["--lease", "10s", "--", "sh", "-c", UNTIL_TOLD]);
    run.until_it_prints("ready");
    let server = lose(server, &database, &run);
    let (code, log) = run.end();
    assert_eq!(code, 80, "{log}");
    run.until_nothing_is_left();
    assert_eq!(status(&server, 1).await, "failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_given_up_goes_on_if_told_so() {
    let (server, database) = serve().await;
    let options = ["--lease", "10s", "--if-lost", "continue", "--", "sh", "-c", UNTIL_TOLD];
    let mut run = Run::start(&server.url, &options);
    run.until_it_prints("ready");
    let _server = lose(server, &database, &run);
    run.until_it_says("the load goes on all the same");
    run.signal("USR1");
    let (code, log) = run.end();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("WARNING: the end of run 1 as success could not be told: Test 1 was declared lost"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_the_database_has_forgotten_is_taken_back_and_its_load_goes_on() {
    let (mut server, database) = serve().await;
    let mut run = Run::start(&server.url, &["--lease", "10s", "--", "sh", "-c", UNTIL_TOLD]);
    run.until_it_prints("ready");
    server.kill();
    run.until_it_says("the load goes on, and it is tried again");
    let forget = "DELETE FROM test_executions;
                  UPDATE perfreg_locations SET used_millionths = 0, running = 0, leased = 0, next_due = NULL";
    database.open_file().execute_batch(forget).expect("valid SQL");
    let server = TestServer::start_on(server.port(), &database.url);
    run.until_it_says("the registry can be reached again");
    assert_eq!(status(&server, 1).await, "running");
    run.signal("USR1");
    let (code, log) = run.end();
    assert_eq!(code, 0, "{log}");
    assert_eq!(status(&server, 1).await, "success");
}
