//! What runs and waits where, and what ran beside a run, as a client sees it.

use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::http::{Http, example};
use crate::support::server::TestServer;

async fn register(http: &Http, changes: Value) -> Value {
    let reply = http.post("/register", &example(changes)).await;
    assert!(reply.status.is_success(), "{}", reply.text);
    reply.json()
}

async fn board(http: &Http, query: &str) -> Value {
    let reply = http.get(&format!("/board{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

/// Whole seconds from `start` to the time that the value tells.
fn seconds_after(start: &Value, time: &Value) -> i64 {
    let read = |time: &Value| time.as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    read(time).duration_since(read(start)).as_secs()
}

on_both_databases! {
    async fn the_board_says_who_holds_a_location_who_waits_and_when_each_starts(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let run = register(&http, json!({"factor": 0.6, "expected_seconds": 600})).await;
        register(&http, json!({"factor": 0.7, "expected_seconds": 60, "wait_seconds": 3_600})).await;
        register(&http, json!({"factor": 0.4, "wait_seconds": 3_600, "priority": 7, "test": "smoke"})).await;
        register(&http, json!({"factor": 0.1, "location": null})).await;

        let all = board(&http, "").await;
        let [nowhere, here] = &all["locations"].as_array().expect("a list")[..] else { panic!("two places: {all}") };
        assert_eq!((&nowhere["name"], &nowhere["capacity"], &nowhere["running"]), (&Value::Null, &Value::Null, &json!(1)));
        assert_eq!((&here["used"], &here["running"], &here["waiting"]), (&json!(0.6), &json!(1), &json!(2)));
        assert_eq!(here["runs"][0]["run_id"], run["run_id"]);
        assert_eq!(seconds_after(&here["runs"][0]["start_time"], &here["runs"][0]["expected_end"]), 600);
        let queue: Vec<_> = here["queue"].as_array().expect("a list").iter().map(|one| (&one["test"], &one["position"])).collect();
        assert_eq!(queue, [(&json!("smoke"), &json!(1)), (&json!("load"), &json!(2))]);
        assert_eq!(here["queue"][0]["estimated_start"], here["runs"][0]["expected_end"]);

        let short = board(&http, "?location=azure-k8s&limit=1").await;
        assert_eq!(short["locations"].as_array().map(Vec::len), Some(1));
        assert_eq!(short["locations"][0]["queue"].as_array().map(Vec::len), Some(1));
        assert_eq!(short["locations"][0]["waiting"], 2);
    }

    async fn the_board_shows_the_stricter_of_both_gates(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        register(&http, json!({"factor": 0.6})).await;
        http.send(reqwest::Method::PUT, "/registry", &json!({"state": "draining", "reason": "node upgrade"})).await;
        let here = board(&http, "").await["locations"][0].clone();
        assert_eq!((&here["gate"]["state"], &here["closed_by_registry"]), (&json!("draining"), &json!(true)));
        assert_eq!(here["gate"]["reason"], "node upgrade");
    }

    async fn a_location_that_is_not_there_is_not_found_and_the_closest_is_named(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        register(&http, json!({"factor": 0.6})).await;
        let missing = http.get("/board?location=azure-k8z").await;
        assert_eq!(missing.status, 404);
        let detail = missing.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains("The closest to it is azure-k8s"), "{detail}");
        for query in ["?limit=x", "?limit=10001", "?limit=-1", "?locaton=x"] {
            assert_eq!(http.get(&format!("/board{query}")).await.status, 422, "{query}");
        }
    }

    async fn a_run_knows_what_ran_beside_it_and_for_how_long(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let first = register(&http, json!({"factor": 0.3, "test": "soak"})).await;
        let second = register(&http, json!({"factor": 0.3})).await;
        register(&http, json!({"factor": 0.3, "location": "elsewhere"})).await;
        http.post("/complete", &json!({"run_id": first["run_id"], "status": "success"})).await;
        let beside = http.get(&format!("/executions/{}/neighbours", second["run_id"])).await.json();
        assert_eq!(beside["more"], false);
        let neighbours = beside["neighbours"].as_array().expect("a list");
        assert_eq!(neighbours.len(), 1, "{beside}");
        assert_eq!((&neighbours[0]["run_id"], &neighbours[0]["test"]), (&first["run_id"], &json!("soak")));
        assert!(neighbours[0]["overlap_seconds"].is_number());
        assert_eq!(http.get("/executions/999/neighbours").await.status, 404);
        let limited = http.get(&format!("/executions/{}/neighbours?limit=1", second["run_id"])).await;
        assert_eq!((limited.status.as_u16(), limited.json()["errors"][0]["field"].as_str()), (422, Some("limit")));
    }
}
