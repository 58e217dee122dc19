//! A request that is sent again after its answer was lost.

use futures_util::future;
use reqwest::Method;
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::http::{Http, Reply, example};
use crate::support::server::TestServer;

async fn register(http: &Http, key: &str, request: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    http.try_send_with(Method::POST, "/register", &headers, request.to_string()).await.expect("an answer")
}

/// Only the first answer at a new location says that it is new.
async fn make_known(http: &Http) {
    http.send(Method::PUT, "/locations/azure-k8s", &json!({"capacity": 1})).await;
}

on_both_databases! {
    async fn the_same_key_and_body_is_given_the_first_answer_again_on_any_server(database: &TestDatabase) {
        let (first, second) = TestServer::start_two(database);
        let (here, there) = (first.http(), second.http());
        make_known(&here).await;
        let leased = example(json!({"factor": 0.6, "lease_seconds": 60}));
        let started = register(&here, "a-key", &leased).await;
        let waiting = example(json!({"factor": 0.6, "wait_seconds": 600}));
        let queued = register(&here, "another", &waiting).await;
        let refused = register(&here, "a-third", &example(json!({"factor": 0.6}))).await;
        assert_eq!((started.status.as_u16(), queued.status.as_u16(), refused.status.as_u16()), (200, 202, 409));

        let run = started.json();
        let end = json!({"run_id": run["run_id"], "status": "success", "lease_token": run["lease_token"]});
        assert_eq!(there.post("/complete", &end).await.status, 200, "the secret opens the lease");
        for (key, request, first) in [
            ("a-key", &leased, &started),
            ("another", &waiting, &queued),
            ("a-third", &example(json!({"factor": 0.6})), &refused),
        ] {
            let repeated = register(&there, key, request).await;
            assert_eq!((repeated.status, &repeated.text), (first.status, &first.text), "to the last byte");
        }
        let other = register(&there, "a-key", &waiting).await;
        assert_eq!((other.status.as_u16(), &other.json()["type"]), (422, &json!("urn:perfreg:problem:key-reused")));
        assert_eq!(here.get("/history").await.json()["executions"].as_array().map(Vec::len), Some(2));
    }

    async fn what_has_changed_since_does_not_change_the_first_answer(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        make_known(&http).await;
        let holding = example(json!({"factor": 0.6, "expected_seconds": 300}));
        let waiting = example(json!({"factor": 0.6, "wait_seconds": 600, "expected_seconds": 60}));
        let holder = register(&http, "holder", &holding).await;
        let first = register(&http, "waiter", &waiting).await;
        assert!(first.json()["estimated_start"].is_string(), "{}", first.text);
        register(&http, "urgent", &example(json!({"factor": 0.6, "wait_seconds": 600, "priority": 9}))).await;
        assert_eq!(register(&http, "waiter", &waiting).await.text, first.text, "although it waits for longer now");
        http.post("/cancel", &json!({"run_id": first.json()["run_id"]})).await;
        assert_eq!(register(&http, "waiter", &waiting).await.text, first.text, "although it waits no longer");
        let twice = future::join_all((0..10).map(|_| register(&http, "holder", &holding))).await;
        assert!(twice.iter().all(|reply| reply.text == holder.text));
        let at_once = future::join_all((0..10).map(|_| register(&http, "another", &waiting))).await;
        assert!(at_once.iter().all(|reply| reply.text == at_once[0].text), "{at_once:?}");
    }

    async fn an_unusable_key_is_refused_before_anything_is_done(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        for key in ["", " ", "a b", "\u{e9}", &"k".repeat(256)] {
            let reply = register(&http, key, &example(json!({}))).await;
            assert_eq!(reply.status, 422, "{key:?}");
            assert_eq!(reply.json()["errors"][0]["field"], "Idempotency-Key");
        }
        assert_eq!(http.get("/history").await.json()["executions"], json!([]));
    }
}
