//! Waiters that are gone, and starts that reach nobody.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::on_both_databases;
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::{Http, Reply, example};
use crate::support::server::{PATIENCE, TestServer};

async fn queue_up(http: &Http, changes: Value) -> Value {
    let mut request = example(json!({"factor": 0.9, "wait_seconds": 600}));
    for (name, value) in changes.as_object().expect("fields") {
        request[name] = value.clone();
    }
    let reply = http.post("/register", &request).await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json()
}

async fn beat(http: &Http, run: &Value, hold: u32) -> Reply {
    let request = json!({"run_id": run["run_id"], "lease_token": run["lease_token"], "wait_seconds": hold});
    http.post("/heartbeat", &request).await
}

/// A waiter that is held, and hangs up once the registry has it.
async fn hang_up(http: &Http, run: &Value) {
    let before = http.get(&format!("/executions/{}", run["run_id"])).await.json()["lease_expires_at"].clone();
    let (held_http, held_run) = (http.clone(), run.clone());
    let call = tokio::spawn(async move { beat(&held_http, &held_run, 30).await });
    while http.get(&format!("/executions/{}", run["run_id"])).await.json()["lease_expires_at"] == before {
        sleep(Duration::from_millis(10)).await;
    }
    call.abort();
}

async fn kinds(http: &Http, run: &Value) -> Vec<String> {
    let events = http.get(&format!("/executions/{}/events", run["run_id"])).await.json();
    let events = events["events"].as_array().expect("events");
    events.iter().map(|event| event["kind"].as_str().expect("a kind").to_owned()).collect()
}

on_both_databases! {
    async fn a_dead_waiter_keeps_the_living_waiting_for_seconds_not_for_leases(database: &TestDatabase) {
        let (one, two) = TestServer::start_two(database);
        let (http, other) = (one.http(), two.http());
        let holder = http.admit(json!({"factor": 0.9})).await;
        let dead = [queue_up(&http, json!({})).await, queue_up(&other, json!({})).await];
        let living = queue_up(&other, json!({})).await;
        for run in &dead {
            hang_up(&http, run).await;
        }
        http.post("/complete", &json!({"run_id": holder["run_id"], "status": "success"})).await;
        let started = async {
            loop {
                let heard = beat(&other, &living, 20).await.json();
                if heard["status"] == "running" {
                    return heard;
                }
            }
        };
        timeout(PATIENCE, started).await.expect("it starts long before two leases are over");
        let first = kinds(&http, &dead[0]).await;
        assert!(first == ["queued", "started", "start_withdrawn"] || first == ["queued", "suspect"], "{first:?}");
        let back = beat(&http, &dead[0], 0).await.json();
        assert_eq!((&back["status"], &back["position"]), (&json!("queued"), &json!(1)), "it has kept its place");
    }

    async fn heartbeats_keep_a_place_without_a_lease_afterwards(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let direct = http.admit(json!({"factor": 0.9, "wait_seconds": 60, "lease_seconds": 0})).await;
        assert_eq!((&direct["lease_token"], &direct["lease_seconds"]), (&json!(null), &json!(null)));
        let waiter = queue_up(&http, json!({"lease_seconds": 0})).await;
        assert!(waiter["lease_token"].is_string() && waiter["lease_seconds"].is_null(), "{waiter}");
        http.post("/complete", &json!({"run_id": direct["run_id"], "status": "success"})).await;
        let told = beat(&http, &waiter, 20).await.json();
        assert_eq!((&told["status"], &told["lease_expires_at"]), (&json!("running"), &json!(null)));
        assert_eq!(beat(&http, &waiter, 0).await.json()["status"], "running", "an answer that was lost is given again");
        let done = http.post("/complete", &json!({"run_id": waiter["run_id"], "status": "success"})).await;
        assert_eq!(done.status, 200, "{}", done.text);
    }

    async fn the_same_end_again_needs_no_secret_and_another_is_refused(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let run = http.admit(json!({"lease_seconds": 60})).await;
        let end = |status: &str| json!({"run_id": run["run_id"], "status": status});
        assert_eq!(http.post("/complete", &end("passed")).await.status, 403);
        let mut with_token = end("PASSED");
        with_token["lease_token"] = run["lease_token"].clone();
        assert_eq!(http.post("/complete", &with_token).await.json()["status"], "success");
        assert_eq!(http.post("/complete", &end("Succeeded")).await.status, 200);
        let another = http.post("/complete", &end("canceled")).await;
        assert_eq!(another.status, 409, "{}", another.text);
        assert!(another.text.contains("success"), "{}", another.text);
        assert_eq!(http.post("/complete", &end("sucess")).await.status, 422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_that_hangs_up_before_it_is_noted_as_held_has_five_seconds_as_well() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let server = TestServer::start(&database.url);
    let http = server.http();
    http.admit(json!({"factor": 0.9})).await;
    let waiter = queue_up(&http, json!({})).await;
    let mut client = database.connect().await;
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE test_executions IN EXCLUSIVE MODE").await.expect("a lock");
    let (held_http, held_run) = (http.clone(), waiter.clone());
    let call = tokio::spawn(async move { beat(&held_http, &held_run, 30).await });
    sleep(Duration::from_millis(300)).await;
    call.abort();
    sleep(Duration::from_millis(300)).await;
    lock.commit().await.expect("given back");
    let suspect = async {
        while !kinds(&http, &waiter).await.contains(&"suspect".to_owned()) {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(20), suspect).await.expect("it is passed over long before its call would have ended");
}

#[tokio::test]
async fn the_address_of_a_run_leads_to_it_behind_any_path() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    http.admit(json!({})).await;
    assert!(http.get("/runs/1").await.text.contains("<h1 id=\"run-title\""));
    for path in ["/runs/x", "/runs/-1", "/runs/2"] {
        assert_eq!(http.get(path).await.status, 404, "{path}");
    }
    assert_eq!(http.get("/locations/azure-k8s").await.json()["capacity"], 1);
    assert_eq!(http.get("/locations/azure-k8z").await.status, 404);
}
