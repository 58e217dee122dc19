//! Stopping a server loses no request that has begun.

use std::fs::File;
use std::net::TcpListener;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::database::{Engine, TestDatabase};
use crate::support::http::example;
use crate::support::server::{PATIENCE, TestServer, perfreg};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_has_begun_is_answered_after_sigterm() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let mut server = TestServer::start(&database.url);
    let address = server.url.trim_start_matches("http://").to_owned();
    let body = example(serde_json::json!({})).to_string();
    let mut connection = TcpStream::connect(&address).await.expect("it listens");
    let head = format!(
        "POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    // The interim answer proves that the handler has begun to read the body.
    let mut interim = [0; 25];
    connection.read_exact(&mut interim).await.expect("100 Continue");
    server.signal("TERM");
    let give_up = Instant::now() + PATIENCE;
    while TcpStream::connect(&address).await.is_ok() {
        assert!(Instant::now() < give_up, "it goes on listening");
        tokio::task::yield_now().await;
    }
    connection.write_all(body.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("Test registered"));
    assert!(server.wait().success());
    let saved: i64 = database
        .open_file()
        .query_row("SELECT count(*) FROM test_executions", [], |row| row.get(0))
        .expect("an answer");
    assert_eq!(saved, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_log_nobody_reads_any_more_serves_and_stops_all_the_same() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let mut server = TestServer::start_without_log(&database.url);
    for _ in 0..2 {
        server.http().admit(serde_json::json!({"location": null})).await;
    }
    server.signal("TERM");
    assert!(server.wait().success());
}

#[test]
fn a_server_that_cannot_print_where_it_is_serves_all_the_same() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let full = || File::options().write(true).open("/dev/full").expect("Linux");
    let mut child = perfreg()
        .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
        .current_dir(folder.path())
        .stdout(full())
        .stderr(full())
        .spawn()
        .expect("the binary starts");
    let give_up = Instant::now() + PATIENCE;
    let answers =
        || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() && folder.path().join("perfreg.db").exists();
    while !answers() {
        assert!(Instant::now() < give_up && child.try_wait().expect("a child").is_none(), "it does not serve");
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn held_calls_are_answered_when_the_server_stops() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let mut server = TestServer::start(&database.url);
    let http = server.http();
    http.admit(serde_json::json!({"lease_seconds": 60})).await;
    let held = tokio::spawn(async move { http.get("/executions/1?wait_seconds=30").await.json() });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let asked = Instant::now();
    server.signal("TERM");
    assert_eq!(held.await.expect("no panic")["status"], "running");
    assert!(server.wait().success());
    assert!(asked.elapsed() < PATIENCE / 3, "it waited for the held call");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_sent_request_does_not_hold_up_a_stop() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let mut server = TestServer::start(&database.url);
    let mut connection = TcpStream::connect(("127.0.0.1", server.port())).await.expect("it listens");
    connection.write_all(b"POST /register HTTP/1.1\r\nHo").await.expect("sent");
    server.http().get("/healthz").await;
    let asked = Instant::now();
    server.signal("TERM");
    assert!(server.wait().success());
    assert!(asked.elapsed() < PATIENCE / 3, "it waited for the rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_nobody_reads_does_not_hold_up_a_stop() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let mut server = TestServer::start(&database.url);
    // More than fits between a server that writes and a client that does not read.
    let events = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                  INSERT INTO perfreg_events (at, kind, location, facts)
                  SELECT '2026-01-01T00:00:00.000000Z', 'refused', 'here', '{\"x\": \"' || hex(zeroblob(500)) || '\"}' FROM n";
    database.open_file().execute_batch(events).expect("valid SQL");
    let mut connection = TcpStream::connect(("127.0.0.1", server.port())).await.expect("it listens");
    let request = b"GET /events?from=2000-01-01 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    connection.write_all(request).await.expect("sent");
    let mut beginning = [0; 1000];
    connection.read_exact(&mut beginning).await.expect("the first events");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let asked = Instant::now();
    server.signal("TERM");
    assert!(server.wait().success());
    assert!(asked.elapsed() < PATIENCE / 3, "it waited for the reader");
}
