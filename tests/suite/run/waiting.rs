//! `perfreg run` in the queue.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Run, serve, status, stop};
use crate::support::http::Http;
use crate::support::proxy::Proxy;

const HERE: [&str; 4] = ["--location", "here", "--factor", "0.9"];

async fn occupy(http: &Http) {
    http.admit(json!({"location": "here", "factor": 0.9})).await;
}

fn waiter(url: &str, more: &[&str]) -> Run {
    let run = Run::start(url, &[&HERE, more, &["--", "echo", "started"]].concat());
    run.until_it_says("run 2 waits at position 1");
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_when_its_turn_has_come() {
    let (server, _database) = serve().await;
    occupy(&server.http()).await;
    let mut run = waiter(&server.url, &["--wait", "2h"]);
    assert!(run.out().is_empty());
    server.http().post("/complete", &json!({"run_id": 1, "status": "success"})).await;
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (0, "started\n"), "{log}");
    assert!(log.contains("perfreg: run 2 may start at here (0.9 of 1): http"), "{log}");
    assert_eq!(status(&server, 2).await, "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_came_between_two_heartbeats_is_no_less_news() {
    let (server, _database) = serve().await;
    occupy(&server.http()).await;
    let proxy = Proxy::start(format!("127.0.0.1:{}", server.port()), true).await;
    let mut run = waiter(&format!("http://127.0.0.1:{}", proxy.port), &["--wait", "2h"]);
    proxy.set_up(false);
    run.until_it_says("trying again");
    server.http().post("/complete", &json!({"run_id": 1, "status": "success"})).await;
    proxy.set_up(true);
    let heard = Instant::now();
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (0, "started\n"), "{log}");
    assert!(heard.elapsed() < Duration::from_secs(8), "a heartbeat was held for ten seconds: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_when_it_will_probably_start() {
    let (server, _database) = serve().await;
    server.http().admit(json!({"location": "here", "factor": 0.9, "expected_seconds": 3600})).await;
    let run = waiter(&server.url, &["--wait", "2h"]);
    run.until_it_says("); run 1 (load by user1, 0.9) holds here; 0s so far");
    assert!(run.log().contains("run 2 waits at position 1, starts in 59m ("), "{}", run.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_it_is_refused_and_says_who_holds_it() {
    let (server, _database) = serve().await;
    occupy(&server.http()).await;
    let (code, log) = Run::start(&server.url, &[&HERE[..], &["--", "echo", "started"]].concat()).end();
    assert_eq!(code, 75);
    assert!(log.contains("Cannot register test: 0.9 runs at here"), "{log}");
    let (code, _) = Run::start(&server.url, &["--location", "here", "--factor", "1", "--", "true"]).end();
    assert_eq!(code, 65);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_gives_up_when_it_has_waited_as_long_as_it_wanted() {
    let (server, _database) = serve().await;
    occupy(&server.http()).await;
    let mut run = waiter(&server.url, &["--wait", "1s"]);
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (76, ""));
    assert!(log.contains("Test 2 waited as long as it wanted to"), "{log}");
    assert!(log.ends_with("; the command was not started\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_may_take_its_place_away() {
    let (server, _database) = serve().await;
    occupy(&server.http()).await;
    let mut run = waiter(&server.url, &["--wait", "2h"]);
    stop(&server, json!({"run_id": 2})).await;
    let (code, log) = run.end();
    assert_eq!(code, 76, "{log}");
    assert!(log.contains("somebody ended run 2 as cancelled; the command was not started"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_while_it_waits_it_gives_its_place_back() {
    let (server, _database) = serve().await;
    occupy(&server.http()).await;
    for (run_id, signal, expected) in [(2, "INT", 130), (3, "TERM", 143)] {
        let mut run = Run::start(&server.url, &[&HERE[..], &["--wait", "2h", "--", "echo", "started"]].concat());
        run.until_it_says("at position 1");
        run.signal(signal);
        let (code, log) = run.end();
        assert_eq!((code, run.out().as_str()), (expected, ""), "{log}");
        assert_eq!(status(&server, run_id).await, "cancelled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_restarted_finds_it_in_its_place_again() {
    let (mut server, database) = serve().await;
    occupy(&server.http()).await;
    let mut run = waiter(&server.url, &["--wait", "2h"]);
    server.kill();
    run.until_it_says("run 2 waits, but cannot reach the registry");
    let server = crate::support::server::TestServer::start_on(server.port(), &database.url);
    server.http().post("/complete", &json!({"run_id": 1, "status": "success"})).await;
    assert_eq!(run.end().0, 0);
    assert_eq!(status(&server, 2).await, "success");
}
