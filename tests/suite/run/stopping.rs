//! The registry asks for a stop, or somebody ends the run.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Run, serve, status, stop};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_request_ends_the_load_and_frees_its_share() {
    let (server, _database) = serve().await;
    let mut run =
        Run::start(&server.url, &["--", "sh", "-c", "trap 'echo asked; exit 0' TERM; echo ready; sleep 300 & wait"]);
    run.until_it_prints("ready");
    stop(&server, json!({})).await;
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (79, "ready\nasked\n"), "{log}");
    assert!(
        log.contains("the registry asks for a stop by ben: the database is in trouble; the command has 30s"),
        "{log}"
    );
    assert_eq!(status(&server, 1).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_ignores_sigterm_is_killed_after_its_grace() {
    let (server, _database) = serve().await;
    let script = "trap '' TERM; sleep 300 & setsid sleep 300 & echo ready; wait";
    let mut run = Run::start(&server.url, &["--stop-grace", "1s", "--", "sh", "-c", script]);
    run.until_it_prints("ready");
    stop(&server, json!({})).await;
    let (code, log) = run.end();
    assert_eq!(code, 79);
    assert!(log.contains("did not end in time and is killed"), "{log}");
    assert_eq!(run.processes(), Vec::<i64>::new());
    assert_eq!(status(&server, 1).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grace_a_load_is_killed_at_once() {
    let (server, _database) = serve().await;
    let script = "trap '' TERM; setsid sleep 300 & echo ready; while :; do sleep 300; done";
    let mut run = Run::start(&server.url, &["--stop-grace", "0s", "--", "sh", "-c", script]);
    run.until_it_prints("ready");
    stop(&server, json!({"force": true})).await;
    let start = Instant::now();
    let (code, log) = run.end();
    assert_eq!(code, 79, "{log}");
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
    assert_eq!(run.processes(), Vec::<i64>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_ended_by_force_stops_its_load() {
    let (server, _database) = serve().await;
    let mut run = Run::start(&server.url, &["--", "sh", "-c", "echo ready; exec sleep 300"]);
    run.until_it_prints("ready");
    stop(&server, json!({"force": true})).await;
    let (code, log) = run.end();
    assert_eq!(code, 79, "{log}");
    assert!(log.contains("somebody ended run 1 as cancelled"), "{log}");
    run.until_nothing_is_left();
}
