//! A primary and its synchronous standby, either of which may go.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::cluster::Node;
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::{Http, Reply, example};
use crate::support::server::{PATIENCE, TestServer, perfreg};

/// Longer than anybody waits for an answer who cannot be given a good one.
const LONGEST_ANSWER: Duration = Duration::from_secs(40);
const WAITING: &str = "SELECT least(count(*), 1) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
const CANCEL: &str = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'";

/// A primary whose commits wait for its standby.
async fn pair() -> (Node, Node) {
    let primary = Node::primary().await;
    let standby = primary.standby().await;
    primary.require_standby(true).await;
    (primary, standby)
}

/// A server that acknowledges nothing without a standby.
fn start(url: &str) -> TestServer {
    let serve = ["serve", "--listen", "127.0.0.1:0", "--durability", "standby", "--database", url];
    TestServer::start_with(perfreg().args(serve))
}

async fn wait_for_status(http: &Http, path: &str, status: u16) {
    let give_up = Instant::now() + PATIENCE;
    while http.get(path).await.status != status {
        assert!(Instant::now() < give_up, "{path} never answers {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn assert_no_standby(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert!(reply.text.contains("synchronous standby is not there"), "{}", reply.text);
    assert!(reply.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
}

fn send(http: &Http, path: &'static str, body: Value, key: &'static str) -> JoinHandle<Reply> {
    let http = http.clone();
    tokio::spawn(async move {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let reply = http.try_send_with(Method::POST, path, &headers, body.to_string()).await.expect("an answer");
        assert!(reply.status == 200 || reply.status == 503, "{}", reply.text);
        reply
    })
}

/// Cancels every wait for the standby until the request is answered.
async fn cancel_until_answered(primary: &Node, request: JoinHandle<Reply>) -> Reply {
    let client = primary.connect().await;
    let (give_up, mut cancelled) = (Instant::now() + LONGEST_ANSWER, 0);
    while !request.is_finished() {
        assert!(Instant::now() < give_up, "no answer");
        cancelled += client.query_one(CANCEL, &[]).await.expect("a number").get::<_, i64>(0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(cancelled > 0, "nothing waited for the standby");
    request.await.expect("it is answered")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_wait_is_cancelled_is_acknowledged_only_once_the_standby_has_it() {
    let (primary, mut standby) = pair().await;
    // A server that hides warnings by default must not hide this one.
    primary.execute(&["ALTER ROLE postgres SET client_min_messages = error"]).await;
    let server = TestServer::start(&primary.url());
    let http = server.http();
    let before = http.admit(json!({"factor": 0.1})).await["run_id"].clone();
    let register = || send(&http, "/register", example(json!({"factor": 0.1, "location": "other"})), "a-key");
    let complete = || send(&http, "/complete", json!({"run_id": before, "status": "success"}), "");

    standby.kill();
    for attempt in 0..2 {
        let reply = cancel_until_answered(&primary, if attempt == 0 { register() } else { complete() }).await;
        assert_eq!(reply.status, 503, "{}", reply.text);
        assert!(reply.text.contains("may or may not have happened"), "{}", reply.text);
    }
    assert_eq!(primary.count("SELECT count(*) FROM test_executions").await, 2, "the primary has committed it");
    assert_eq!(primary.count("SELECT count(*) FROM test_executions WHERE status = 'success'").await, 1);
    // Both are there to be found now, and are not acknowledged for that.
    let again = [register(), complete()];
    primary.wait_for(WAITING, 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(again.iter().all(|request| !request.is_finished()), "acknowledged without the standby");

    standby.start().await;
    for request in again {
        let reply = request.await.expect("it is answered");
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    assert_eq!(standby.count("SELECT count(*) FROM test_executions").await, 2);
    assert_eq!(standby.count("SELECT count(*) FROM test_executions WHERE status = 'success'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_is_there_when_the_standby_takes_over() {
    let (mut primary, standby) = pair().await;
    let server = TestServer::start(&primary.url());
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let http = server.http();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                loop {
                    let body = example(json!({"factor": 0.001, "location": format!("location-{client}")})).to_string();
                    match http.try_send(Method::POST, "/register", "application/json", body).await {
                        Ok(reply) if reply.status == 200 => acknowledged.push(reply.json()["run_id"].clone()),
                        _ => return acknowledged,
                    }
                }
            })
        })
        .collect();
    primary.wait_for("SELECT (count(*) >= 300)::int::bigint FROM test_executions", 1).await;
    primary.kill();
    standby.promote().await;
    let mut lost = 0;
    let client = standby.connect().await;
    for acknowledged in clients {
        for run_id in acknowledged.await.expect("a client") {
            let run_id = run_id.as_i64().expect("a number");
            let found = client.query_opt("SELECT FROM test_executions WHERE run_id = $1", &[&run_id]).await;
            lost += usize::from(found.expect("an answer").is_none());
        }
    }
    assert_eq!(lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_standby_a_server_takes_nothing_on_and_heals_by_itself() {
    let (primary, mut standby) = pair().await;
    // One who may not see the state of standbys, and whose commits would wait for none.
    let role = ["CREATE ROLE modest LOGIN", "GRANT CREATE ON SCHEMA public TO modest"];
    primary.execute(&role).await;
    primary.execute(&["ALTER ROLE modest SET synchronous_commit = local"]).await;
    let server = start(&primary.url().replace("postgres@", "modest@"));
    let http = server.http();
    let run = http.admit(json!({"factor": 0.1})).await;
    let end = json!({"run_id": run["run_id"], "status": "success"});

    standby.kill();
    // Nobody may know of it yet.
    let asked = Instant::now();
    let reply = http.post("/register", &example(json!({"factor": 0.1, "location": "other"}))).await;
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert!(asked.elapsed() < LONGEST_ANSWER);
    wait_for_status(&http, "/readyz", 503).await;
    for reply in [
        http.get("/readyz").await,
        http.post("/register", &example(json!({"factor": 0.1}))).await,
        http.post("/complete", &end).await,
        http.send(Method::PUT, "/registry", &json!({"state": "draining", "reason": "why not"})).await,
    ] {
        assert_no_standby(&reply);
    }
    assert_eq!(http.get("/status").await.status, 200, "what is there can still be looked at");

    standby.start().await;
    wait_for_status(&http, "/readyz", 200).await;
    assert_eq!(http.post("/complete", &end).await.status, 200);
    assert_eq!(standby.count("SELECT count(*) FROM test_executions WHERE status = 'success'").await, 1);
    let log = server.log();
    for line in ["nothing is acknowledged without a standby: ", "the synchronous standby is there again"] {
        assert_eq!(log.matches(line).count(), 1, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_not_on_the_standby_is_told_to_nobody() {
    let (primary, mut standby) = pair().await;
    let server = TestServer::start(&primary.url());
    let http = server.http();
    let first = http.admit(json!({"factor": 0.9})).await;
    let queued = http.post("/register", &example(json!({"factor": 0.9, "wait_seconds": 600}))).await.json();
    let beat = json!({"run_id": queued["run_id"], "lease_token": queued["lease_token"], "wait_seconds": 20});
    let held = send(&http, "/heartbeat", beat.clone(), "");
    tokio::time::sleep(Duration::from_millis(300)).await;

    standby.kill();
    let ended = send(&http, "/complete", json!({"run_id": first["run_id"], "status": "success"}), "");
    let reply = cancel_until_answered(&primary, ended).await;
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert_eq!(primary.count("SELECT count(*) FROM test_executions WHERE status = 'running'").await, 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    if held.is_finished() {
        assert_eq!(held.await.expect("an answer").status, 503);
    } else {
        standby.start().await;
        let reply = held.await.expect("an answer");
        assert_eq!((reply.status.as_u16(), &reply.json()["status"]), (200, &json!("running")), "{}", reply.text);
        assert_eq!(standby.count("SELECT count(*) FROM test_executions WHERE status = 'running'").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_needs_a_standby_refuses_where_no_commit_waits_for_one() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let server = start(&database.url);
    let http = server.http();
    assert_no_standby(&http.get("/readyz").await);
    assert_no_standby(&http.post("/register", &example(json!({}))).await);
    assert_eq!(http.get("/status").await.status, 200);
    assert!(server.log().contains("synchronous_standby_names is empty"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_commit_waits_for_a_standby_any_more_nothing_is_acknowledged() {
    let (primary, standby) = pair().await;
    // Whoever waits for more than the standby's disk still does; so it can be there and hold up a commit.
    primary.execute(&["ALTER ROLE postgres SET synchronous_commit = remote_apply"]).await;
    let server = start(&primary.url());
    let http = server.http();
    http.admit(json!({"factor": 0.1})).await;
    standby.execute(&["SELECT pg_wal_replay_pause()"]).await;
    let register = || send(&http, "/register", example(json!({"factor": 0.1})), "a-key");
    let waiting = register();
    primary.wait_for(WAITING, 1).await;

    // PostgreSQL lets everybody go who waits, with a success and without a warning.
    primary.require_standby(false).await;
    let reply = waiting.await.expect("an answer");
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert!(reply.text.contains("may or may not have happened"), "{}", reply.text);
    wait_for_status(&http, "/readyz", 503).await;
    assert_no_standby(&register().await.expect("an answer"));

    standby.execute(&["SELECT pg_wal_replay_resume()"]).await;
    primary.require_standby(true).await;
    wait_for_status(&http, "/readyz", 200).await;
    let reply = register().await.expect("an answer");
    assert_eq!((reply.status.as_u16(), &reply.json()["run_id"]), (200, &json!(2)), "{}", reply.text);
    assert_eq!(primary.count("SELECT count(*) FROM test_executions").await, 2, "nothing started twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_lease_runs_out_while_nothing_is_acknowledged() {
    let (primary, _standby) = pair().await;
    let server = start(&primary.url());
    let http = server.http();
    let run = http.admit(json!({"lease_seconds": 10})).await;
    primary.wait_for("SELECT count(pulse_at) FROM perfreg_registry", 1).await;
    primary.require_standby(false).await;
    // Who cannot beat is not given up for it, so there must be no pulse.
    let silent = "SELECT count(*) FROM perfreg_registry WHERE pulse_at < clock_timestamp() - interval '6 seconds'";
    primary.wait_for(silent, 1).await;
    primary.require_standby(true).await;
    wait_for_status(&http, "/readyz", 200).await;
    primary.wait_for("SELECT count(*) FROM perfreg_events WHERE kind = 'resumed'", 1).await;
    let beat = json!({"run_id": run["run_id"], "lease_token": run["lease_token"]});
    let heard = http.post("/heartbeat", &beat).await;
    assert_eq!((heard.status.as_u16(), &heard.json()["status"]), (200, &json!("running")), "{}", heard.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_of_sqlite_is_refused_at_start() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let serve = ["serve", "--listen", "127.0.0.1:0", "--durability", "standby", "--database", &database.url];
    let output = perfreg().args(serve).output().expect("it starts");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("SQLite has no standby; leave --durability at local"), "{said}");
}
