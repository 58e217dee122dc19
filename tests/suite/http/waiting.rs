//! Waiting, leases and stopping, as a runner sees them.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::database::{Engine, TestDatabase, execute};
use crate::support::http::{Http, Reply, example};
use crate::support::server::{PATIENCE, TestServer};

/// A registration that waits, and what was answered: 200 or 202.
async fn queue_up(http: &Http, changes: Value) -> Value {
    let mut request = example(changes);
    if request.get("wait_seconds").is_none() {
        request["wait_seconds"] = json!(600);
    }
    let reply = http.post("/register", &request).await;
    assert!(matches!(reply.status.as_u16(), 200 | 202), "{}", reply.text);
    reply.json()
}

async fn beat(http: &Http, run: &Value, more: Value) -> Reply {
    let mut request = json!({"run_id": run["run_id"], "lease_token": run["lease_token"]});
    for (name, value) in more.as_object().expect("fields") {
        request[name] = value.clone();
    }
    http.post("/heartbeat", &request).await
}

async fn complete(http: &Http, run: &Value) -> Reply {
    let request = json!({"run_id": run["run_id"], "status": "success", "lease_token": run["lease_token"]});
    http.post("/complete", &request).await
}

/// Waits until the execution looks as it should.
async fn until(http: &Http, run: &Value, holds: impl Fn(&Value) -> bool) -> Value {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let now = http.get(&format!("/executions/{}", run["run_id"])).await.json();
        if holds(&now) {
            return now;
        }
        assert!(Instant::now() < give_up, "{now}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

on_both_databases! {
    async fn a_test_waits_for_its_turn_and_is_told_at_once(database: &TestDatabase) {
        let (first_server, second_server) = TestServer::start_two(database);
        let (here, there) = (first_server.http(), second_server.http());
        let holder = here.admit(json!({"factor": 0.6})).await;
        let waiter = queue_up(&there, json!({"factor": 0.6})).await;
        assert_eq!((&waiter["message"], &waiter["status"], &waiter["position"]),
                   (&json!("Test queued"), &json!("queued"), &json!(1)));
        assert_eq!(waiter["waits_for"]["blocking"][0]["run_id"], holder["run_id"]);
        assert_eq!(queue_up(&here, json!({"factor": 0.1})).await["position"], 2, "it would fit, but is not first");
        let refused = here.post("/register", &example(json!({"factor": 0.1}))).await;
        assert_eq!(refused.status, 409);
        assert!(refused.json()["message"].as_str().is_some_and(|text| text.contains("2 tests wait for azure-k8s already")));
        assert_eq!(here.get("/locations").await.json()["locations"][0]["waiting"], 2);

        let (poll_there, poll_waiter) = (there.clone(), waiter.clone());
        let held = tokio::spawn(async move { beat(&poll_there, &poll_waiter, json!({"wait_seconds": 30})).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        let completed = Instant::now();
        complete(&here, &holder).await;
        let started = held.await.expect("no panic").json();
        assert!(completed.elapsed() < Duration::from_secs(10), "the poll was held to its end");
        assert_eq!((&started["status"], &started["fence"]), (&json!("running"), &json!(2)));
        assert_eq!(complete(&there, &waiter).await.status, 200);
    }

    async fn a_leased_run_needs_its_secret_and_stops_when_asked(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let run = http.admit(json!({"lease_seconds": 30})).await;
        assert_eq!(run["lease_token"].as_str().map(str::len), Some(64));
        let stranger = json!({"run_id": run["run_id"], "status": "success"});
        assert_eq!(http.post("/complete", &stranger).await.status, 403);
        assert!(!http.get("/status").await.text.contains(run["lease_token"].as_str().expect("a token")));

        let (poll_http, poll_run) = (http.clone(), run.clone());
        let held = tokio::spawn(async move { beat(&poll_http, &poll_run, json!({"wait_seconds": 30})).await });
        let cancel = json!({"run_id": run["run_id"], "reason": "prod is in trouble", "by": "ana"});
        let asked = http.post("/cancel", &cancel).await;
        assert_eq!((asked.status.as_u16(), &asked.json()["message"]), (202, &json!("Test asked to stop")));
        let told = held.await.expect("no panic").json();
        assert_eq!((&told["stop"]["reason"], &told["stop"]["by"]), (&json!("prod is in trouble"), &json!("ana")));
        assert_eq!(http.get("/locations").await.json()["locations"][0]["running"], 1, "it holds its share");
        assert_eq!(complete(&http, &run).await.json()["status"], "success");
        let late = beat(&http, &run, json!({})).await;
        assert_eq!((late.status.as_u16(), &late.json()["outcome"]), (409, &json!("success")));
    }

    async fn a_runner_that_died_gives_its_share_back_and_the_next_starts(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let dead = http.admit(json!({"factor": 0.9, "lease_seconds": 10})).await;
        let waiter = queue_up(&http, json!({"factor": 0.9})).await;
        let sql = "UPDATE test_executions SET lease_expires_at = {} WHERE run_id = 1";
        let due = "UPDATE perfreg_locations SET next_due = {}";
        // Time is set in the database, as if the runner had been silent for a lease, then for two, at a
        // registry that was there for an hour.
        let pulse = "UPDATE perfreg_registry SET pulse_at = {}";
        let resumed = "UPDATE perfreg_registry SET resumed_at = {}";
        for (statement, seconds) in [(pulse, 0), (resumed, 3_600), (sql, 1), (due, 1)] {
            super::pages::set_back(database, statement, seconds).await;
        }
        let suspect = until(&http, &dead, |run| run["suspect"] == true).await;
        assert_eq!(suspect["status"], "running");
        for (statement, seconds) in [(sql, 11), (due, 1)] {
            super::pages::set_back(database, statement, seconds).await;
        }
        let lost = until(&http, &dead, |run| run["status"] == "failure").await;
        assert_eq!(lost["end_reason"], "lost");
        until(&http, &waiter, |run| run["status"] == "running").await;
        let late = complete(&http, &dead).await;
        assert_eq!(late.status, 409);
        assert!(late.json()["detail"].as_str().is_some_and(|text| text.contains("was declared lost")), "{}", late.text);
    }

    async fn a_lease_does_not_run_out_while_the_server_is_away(database: &TestDatabase) {
        let mut server = TestServer::start(&database.url);
        let run = server.http().admit(json!({"lease_seconds": 10})).await;
        server.kill();
        // As if that had been an hour ago.
        for statement in [
            "UPDATE test_executions SET lease_expires_at = {}",
            "UPDATE perfreg_locations SET next_due = {}",
            "UPDATE perfreg_registry SET pulse_at = {}",
        ] {
            super::pages::set_back(database, statement, 3_600).await;
        }
        let back = perfreg::clock::now();
        let server = TestServer::start(&database.url);
        let http = server.http();
        let later = until(&http, &run, |run| run["lease_expires_at"].as_str() > Some(&back.to_string())).await;
        assert_eq!((&later["status"], &later["suspect"]), (&json!("running"), &json!(false)));
        let events = http.get("/events?kind=resumed").await.json();
        assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "{events}");
        assert_eq!(beat(&http, &run, json!({})).await.status, 200);
        assert!(server.log().contains("the registry was away"), "{}", server.log());
    }

    async fn a_run_that_the_database_has_forgotten_is_taken_back_by_its_receipt(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let holder = http.admit(json!({"factor": 0.9, "lease_seconds": 60})).await;
        let waiter = queue_up(&http, json!({"factor": 0.6, "extra": "\"é\""})).await;
        let other = http.admit(json!({"location": "elsewhere", "lease_seconds": 60})).await;
        assert_eq!(waiter["receipt"], Value::Null, "it does not run yet");
        complete(&http, &holder).await;
        let told = beat(&http, &waiter, json!({})).await.json();
        let receipt = json!({"receipt": told["receipt"]});
        assert!(receipt["receipt"].is_string(), "{told}");
        let again = beat(&http, &waiter, receipt.clone()).await.json();
        assert_eq!((&again["status"], &again["receipt"]), (&json!("running"), &Value::Null));
        let forget = "DELETE FROM test_executions WHERE run_id = 2;
                      UPDATE perfreg_locations SET used_millionths = 0, running = 0, leased = 0, next_due = NULL,
                             version = version + 1 WHERE name = 'azure-k8s'";
        execute(database, forget).await;
        let next = http.admit(json!({"factor": 0.9})).await;
        assert_eq!(beat(&http, &waiter, json!({})).await.status, 404, "without it nobody knows the run");
        let cut = receipt["receipt"].as_str().map(|text| &text[1..]);
        for wrong in [json!(cut), json!("forged"), other["receipt"].clone()] {
            let reply = beat(&http, &waiter, json!({"receipt": wrong})).await;
            assert_eq!(reply.status, 422);
            assert!(reply.json()["detail"].as_str().is_some_and(|text| text.starts_with("receipt must be")));
        }
        let guess = json!({"lease_token": "guess", "receipt": receipt["receipt"]});
        assert_eq!(beat(&http, &waiter, guess).await.status, 403);
        assert_eq!(http.get("/locations").await.json()["locations"][0]["running"], 1, "nothing was changed");
        let back = beat(&http, &waiter, receipt.clone()).await.json();
        for field in ["id", "run_id", "fence", "start_time", "queued_at", "factor", "extra", "test"] {
            assert_eq!(back[field], told[field], "{field}");
        }
        let here = http.get("/locations").await.json()["locations"][0].clone();
        assert_eq!((&here["used"], &here["running"]), (&json!(1.5), &json!(2)));
        assert_eq!(http.post("/register", &example(json!({"factor": 0}))).await.status, 409, "until there is room");
        let events = http.get("/events?kind=taken_back").await.json();
        assert_eq!((&events["events"][0]["run_id"], &events["events"][1]), (&json!(2), &Value::Null));
        assert_eq!(complete(&http, &waiter).await.json()["status"], "success");
        assert_eq!(http.get("/locations").await.json()["locations"][0]["used"], next["factor"]);
    }

    async fn a_forgotten_run_whose_number_is_anothers_is_told_so_and_its_end_is_taken_in(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let lost = http.admit(json!({"factor": 0.5, "lease_seconds": 60})).await;
        let request = json!({"run_id": 1, "status": "success", "lease_token": lost["lease_token"],
                             "receipt": lost["receipt"]});
        let sql = "UPDATE test_executions SET id = '019e0000-0000-7000-8000-000000000000';
                   UPDATE perfreg_locations SET version = version + 1";
        execute(database, sql).await;
        let reply = http.post("/complete", &request).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["type"]), (409, &json!("urn:perfreg:problem:lost")));
        let secret = "UPDATE test_executions SET lease_token_hash = 'another';
                      UPDATE perfreg_locations SET version = version + 1";
        execute(database, secret).await;
        let beat = json!({"run_id": 1, "lease_token": lost["lease_token"], "receipt": lost["receipt"]});
        let reply = http.post("/heartbeat", &beat).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["type"]), (409, &json!("urn:perfreg:problem:lost")));
        let forget = "DELETE FROM test_executions; UPDATE perfreg_locations SET used_millionths = 0, running = 0,
                             leased = 0, next_due = NULL, version = version + 1";
        execute(database, forget).await;
        let ended = http.post("/complete", &request).await;
        assert_eq!((ended.status.as_u16(), &ended.json()["status"]), (200, &json!("success")), "{}", ended.text);
        assert_eq!(ended.json()["id"], lost["id"]);
        assert_eq!(http.get("/locations").await.json()["locations"][0]["running"], 0);
    }

    async fn a_closed_registry_starts_nothing_and_tells_everybody_why(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let run = http.admit(json!({"lease_seconds": 60})).await;
        let closed = json!({"state": "stopped", "reason": "disaster drill", "by": "ops"});
        let put = http.send(Method::PUT, "/registry", &closed).await;
        assert_eq!((put.status.as_u16(), &put.json()["state"]), (200, &json!("stopped")));
        assert_eq!(http.get("/registry").await.json()["reason"], "disaster drill");
        let told = http.get(&format!("/executions/{}", run["run_id"])).await.json();
        assert_eq!(told["stop"]["reason"], "disaster drill", "whoever has a lease is asked before the call is answered");
        let refused = http.post("/register", &example(json!({"location": null}))).await;
        assert!(refused.json()["message"].as_str().is_some_and(|text| text.contains("stopped: disaster drill")));
        let waiter = queue_up(&http, json!({"location": null})).await;
        assert_eq!(waiter["status"], "queued");
        http.send(Method::PUT, "/registry", &json!({"state": "open"})).await;
        until(&http, &waiter, |run| run["status"] == "running").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_watcher_learns_of_another_replicas_change() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (first_server, second_server) = TestServer::start_two(&database);
    let (here, there) = (first_server.http(), second_server.http());
    for round in 1..=10 {
        let location = if round % 2 == 0 { json!("azure-k8s") } else { json!(null) };
        let run = here.admit(json!({"factor": 0.01, "lease_seconds": 60, "location": location})).await;
        let path = format!("/executions/{}?wait_seconds=30&version={}", run["run_id"], run["version"]);
        let (held_http, held_path) = (here.clone(), path.clone());
        let held = tokio::spawn(async move { held_http.get(&held_path).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        there.post("/cancel", &json!({"run_id": run["run_id"]})).await;
        here.get(&path).await;
        let told = tokio::time::timeout(Duration::from_secs(10), held).await;
        assert!(told.expect("it is told").expect("no panic").json()["stop"].is_object(), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_under_way_is_seen_when_the_registry_is_stopped() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (first_server, second_server) = TestServer::start_two(&database);
    let mut client = database.connect().await;
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE test_executions IN EXCLUSIVE MODE").await.expect("a lock");
    let (registering, stopping) = (second_server.http(), first_server.http());
    let started = tokio::spawn(async move { registering.admit(json!({"lease_seconds": 60})).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stop = json!({"state": "stopped", "reason": "drill"});
    let stopped = tokio::spawn(async move { stopping.send(Method::PUT, "/registry", &stop).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    lock.commit().await.expect("given back");
    let run = started.await.expect("it had read the open gate");
    assert_eq!(stopped.await.expect("no panic").status, 200);
    let run = first_server.http().get(&format!("/executions/{}", run["run_id"])).await.json();
    assert_eq!(run["stop"]["reason"], "drill", "whatever started before is asked to stop before the call is answered");
}

#[tokio::test]
async fn a_held_runner_is_answered_long_before_its_lease_runs_out() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    let run = http.admit(json!({"lease_seconds": 10})).await;
    let begun = Instant::now();
    let heard = beat(&http, &run, json!({"wait_seconds": 30})).await;
    assert_eq!((heard.status.as_u16(), &heard.json()["suspect"]), (200, &json!(false)));
    assert!(begun.elapsed() < Duration::from_secs(9));
}

#[tokio::test]
async fn a_location_is_drained_and_opens_again() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    let drain = json!({"state": "draining", "reason": "new nodes"});
    assert_eq!(http.send(Method::PUT, "/locations/azure-k8s", &drain).await.json()["gate"]["state"], "draining");
    let waiter = queue_up(&http, json!({})).await;
    assert_eq!(waiter["waits_for"]["gate"]["reason"], "new nodes");
    http.admit(json!({"location": "elsewhere"})).await;
    http.send(Method::PUT, "/locations/azure-k8s", &json!({"state": "open"})).await;
    until(&http, &waiter, |run| run["status"] == "running").await;
    for (body, words) in [
        (json!({"state": "draining"}), "reason is required"),
        (json!({"state": "shut", "reason": "x"}), "state must be one of open, draining, stopped"),
        (json!({"reason": "x"}), "state is required"),
        (json!({"by": "ana"}), "is required"),
        (json!({"state": "draining", "reason": "x", "until": "2020-01-01T00:00:00Z"}), "until must be in the future"),
        (
            json!({"state": "draining", "reason": "x", "until": "-009999-01-03T00:00:00Z"}),
            "until must be a time such as",
        ),
        (json!({"state": "stopped", "reason": "x", "until": "tomorrow"}), "until must be a time such as"),
        (json!({}), "is required"),
    ] {
        for path in ["/locations/azure-k8s", "/registry"] {
            let reply = http.send(Method::PUT, path, &body).await;
            assert!(reply.status == 422 && reply.text.contains(words), "{words:?} in {}", reply.text);
        }
    }
}

#[tokio::test]
async fn what_is_asked_of_waiting_and_leases_is_checked() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    for (field, value, words) in [
        ("wait_seconds", json!(86_401), "wait_seconds must be a whole number from 0 to 86400"),
        ("wait_seconds", json!(1.5), "wait_seconds must be a whole number"),
        ("priority", json!(10), "priority must be a whole number from 0 to 9"),
        ("lease_seconds", json!(9), "lease_seconds must be 0, or a whole number from 10 to 3600"),
    ] {
        let reply = http.post("/register", &example(json!({field: value}))).await;
        assert!(reply.status == 422 && reply.text.contains(words), "{words:?} in {}", reply.text);
    }
    assert_eq!(http.post("/heartbeat", &json!({"run_id": 9, "lease_token": "x"})).await.status, 404);
    assert_eq!(http.post("/heartbeat", &json!({"run_id": 9})).await.status, 422);
    for query in ["wait_seconds=31", "wait_second=30", "version=1&version=2"] {
        assert_eq!(http.get(&format!("/executions/1?{query}")).await.status, 422, "{query}");
    }
    http.admit(json!({"factor": 0.9})).await;
    let waiter = queue_up(&http, json!({"factor": 0.9})).await;
    let second = queue_up(&http, json!({"factor": 0.9})).await;
    assert_eq!(second["position"], 2);
    let (poll_http, poll_second) = (http.clone(), second.clone());
    let held = tokio::spawn(async move { beat(&poll_http, &poll_second, json!({"wait_seconds": 1})).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let third = queue_up(&http, json!({"factor": 0.9, "priority": 9})).await;
    assert_eq!(held.await.expect("no panic").json()["position"], 3, "the place is that at the end of the call");
    http.post("/cancel", &json!({"run_id": third["run_id"]})).await;
    let early = complete(&http, &waiter).await;
    assert!(early.status == 409 && early.text.contains("still waits"), "{}", early.text);
    let watched = http.get(&format!("/executions/{}?wait_seconds=1&version=99", waiter["run_id"])).await;
    assert_eq!(watched.json()["status"], "queued", "another version than 99 is news");
    assert_eq!(http.post("/cancel", &json!({"run_id": waiter["run_id"]})).await.json()["status"], "cancelled");
}
