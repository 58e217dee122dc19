//! Register, complete and cancel, as the original's clients call them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::http::example;
use crate::support::server::TestServer;

on_both_databases! {
    async fn a_test_is_registered_shown_completed_and_remembered(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let registered = http.admit(json!({})).await;
        assert_eq!(registered["message"], "Test registered");
        assert_eq!(registered["test_id"], registered["id"]);
        assert_eq!(registered["status"], "running");
        assert_eq!(registered["factor"], json!(0.5));
        assert_eq!(registered["extra"], json!({}));
        assert!(registered["start_time"].as_str().is_some_and(|time| time.ends_with('Z')));
        assert_eq!(registered["id"].as_str().map(|id| id.as_bytes()[14]), Some(b'7'), "a UUID of version 7");
        let run_id = registered["run_id"].as_i64().expect("a run_id");

        let running = http.get("/status").await.json();
        assert_eq!(running["running"][0]["run_id"], run_id);
        let completed = http.post("/complete", &json!({"run_id": run_id, "status": "success"})).await;
        assert_eq!(completed.status, 200);
        assert_eq!(completed.json()["message"], "Test marked as complete");
        assert_eq!(http.get("/status").await.json(), json!({"running": []}));
        let history = http.get("/history").await.json();
        assert_eq!(history["executions"][0]["status"], "success");
        assert_eq!(history["next"], Value::Null);
        let one = http.get(&format!("/executions/{run_id}")).await.json();
        assert_eq!(one, history["executions"][0]);
    }

    async fn a_full_location_refuses_and_names_who_holds_it(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let holder = http.admit(json!({"factor": "0.9", "test": "soak", "triggered_by": "nightly"})).await;
        let refused = http.post("/register", &example(json!({"factor": 0.1}))).await;
        assert_eq!(refused.status, 409);
        assert_eq!(refused.header("content-type"), "application/problem+json");
        let body = refused.json();
        let message = body["message"].as_str().expect("a message");
        assert!(message.starts_with("Cannot register test: 0.9 runs at azure-k8s"), "{message}");
        for (name, value) in [
            ("location", json!("azure-k8s")), ("capacity", json!(1)), ("running_factor", json!(0.9)),
            ("requested_factor", json!(0.1)), ("available_factor", json!(0.1)), ("permanent", json!(false)),
            ("status", json!(409)), ("detail", json!(message)),
        ] {
            assert_eq!(body[name], value, "{name}");
        }
        let expected = json!([{"run_id": holder["run_id"], "test": "soak", "triggered_by": "nightly", "factor": 0.9,
                               "start_time": holder["start_time"], "expected_seconds": null}]);
        assert_eq!(body["blocking"], expected);
        http.admit(json!({"factor": 0.1, "location": "elsewhere"})).await;
        http.admit(json!({"factor": 1, "location": null})).await;
    }
}

#[tokio::test]
async fn a_factor_that_can_never_fit_is_refused_for_good() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    let refused = http.post("/register", &example(json!({"factor": 1}))).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.json()["permanent"], true);
    let too_large = http.post("/register", &example(json!({"factor": 1.000_001}))).await;
    assert_eq!(too_large.status, 422);
    assert_eq!(
        too_large.json()["errors"],
        json!([{"field": "factor", "message": "must be at most 0.999999 here, where the sum of the factors stays below the capacity. The location azure-k8s is new here, with a capacity of 1",
                "obstacle": "never_fits"}])
    );
}

#[tokio::test]
async fn saying_the_same_end_again_is_answered_the_same_and_another_is_a_conflict() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    let run_id = http.admit(json!({})).await["run_id"].clone();
    let end = |run_id: &Value, status: &str| json!({"run_id": run_id, "status": status});
    let first = http.post("/complete", &end(&run_id, "failed")).await;
    assert_eq!(first.json()["status"], "failure", "real clients send failed");
    let again = http.post("/complete", &end(&json!(run_id.to_string()), "failure")).await;
    assert_eq!((again.status, again.json()), (first.status, first.json()));
    let other = http.post("/complete", &end(&run_id, "success")).await;
    assert_eq!(other.status, 409);
    assert_eq!(other.json()["outcome"], "failure");
    assert!(other.json()["detail"].as_str().is_some_and(|detail| detail.contains("already ended as failure")));
    let unknown = http.post("/complete", &end(&json!(999), "success")).await;
    assert_eq!((unknown.status.as_u16(), unknown.json()["detail"].clone()), (404, json!("Running test not found")));
}

#[tokio::test]
async fn a_test_is_cancelled_by_query_or_by_body() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    for path_and_body in [
        ("/cancel?run_id=1", ""),
        ("/cancel", r#"{"run_id":2}"#),
        ("/cancel?run_id=3", r#"{"run_id":"3"}"#),
        ("/cancel?run_id=4", " null\n"),
    ] {
        http.admit(json!({"location": null})).await;
        for _ in 0..2 {
            let reply = http.post_text(path_and_body.0, path_and_body.1).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
            assert_eq!(reply.json()["message"], "Test cancelled");
            assert_eq!(reply.json()["status"], "cancelled");
        }
    }
    for (path, body, status) in [
        ("/cancel", "", 422),
        ("/cancel", "null", 422),
        ("/cancel?run_id=1", "[]", 422),
        ("/cancel?run_id=x", "", 422),
        ("/cancel?run_id=1", r#"{"run_id":2}"#, 422),
        ("/cancel?run_id=99", "", 404),
    ] {
        assert_eq!(http.post_text(path, body).await.status, status, "{path} {body}");
    }
    let wrong = http.post_text("/cancel?run_id=x", r#"{"reason":"y"}"#).await;
    assert!(wrong.status == 422 && wrong.text.contains("a whole number such as 7"), "{}", wrong.text);
    let completed = http.post("/complete", &json!({"run_id": 1, "status": "success"})).await;
    assert_eq!(completed.json()["outcome"], "cancelled");
}

#[tokio::test]
async fn a_whole_number_is_one_however_a_client_writes_it() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    let whole = [("60", "5"), ("60.0", "5.0"), ("\"60\"", "\"5\""), ("6e1", "50e-1"), ("\"60.0\"", "0.5E+1")];
    for (seconds, priority) in whole {
        let body = example(json!({"lease_seconds": "@", "priority": "#", "factor": 0}));
        let body = body.to_string().replace("\"@\"", seconds).replace("\"#\"", priority);
        let run = http.post_text("/register", body).await.json();
        assert_eq!((&run["lease_seconds"], &run["priority"]), (&json!(60), &json!(5)), "{run}");
    }
    for (run_id, form) in (1..).zip(["1", "2.0", "\"3\"", "0.4E1", "\"5.000\""]) {
        let body = format!("{{\"run_id\": {form}, \"force\": true}}");
        let ended = http.post_text("/cancel", body).await;
        assert_eq!((ended.status.as_u16(), &ended.json()["run_id"]), (200, &json!(run_id)), "{form}");
    }
    for form in
        ["1.5", "1e-1", "1e400", "9223372036854775807.5", "92233720368547758070e-1.0", "\"1.\"", "\" 1.0\"", "-1.0"]
    {
        let reply = http.post_text("/cancel", format!("{{\"run_id\": {form}}}")).await;
        assert_eq!(reply.status, 422, "{form} is {}", reply.text);
    }
}

#[tokio::test]
async fn factors_are_exact_to_the_last_digit() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    for _ in 0..9 {
        http.admit(json!({"factor": 0.1})).await;
    }
    assert_eq!(http.post("/register", &example(json!({"factor": "0.1"}))).await.status, 409);
    let run = http.admit(json!({"factor": "0.099999"})).await;
    assert_eq!(http.get(&format!("/executions/{}", run["run_id"])).await.json()["factor"], json!(0.099_999));
    assert_eq!(http.post("/register", &example(json!({"factor": 0.000_001}))).await.status, 409);
    assert_eq!(http.post("/register", &example(json!({"factor": 0}))).await.status, 200);
    assert!(http.get("/locations").await.text.contains("\"used\":0.999999,"));
}

#[tokio::test]
async fn unknown_fields_are_kept_whole_up_to_16_kib() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    let extra = r#""workers":1e2,"tags":["ä",{"deep":null}],"big":12345678901234567890.10,"status":"mine""#;
    let mut body = example(json!({"location": null})).to_string();
    body.truncate(body.len() - 1);
    let reply = http.post_text("/register", format!("{body},{extra}}}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(reply.text.contains(&format!("\"extra\":{{{extra}}}")), "{}", reply.text);
    assert_eq!(reply.json()["status"], "running");
    let fits = http.post("/register", &example(json!({"location": null, "x": "y".repeat(16_000)}))).await;
    assert_eq!(fits.status, 200);
    let too_large = http.post("/register", &example(json!({"location": null, "x": "y".repeat(16_500)}))).await;
    assert_eq!(too_large.status, 422);
    assert_eq!(too_large.json()["errors"][0]["field"], "extra");
}

#[tokio::test]
async fn health_is_told_apart_from_readiness() {
    let (server, _database) = super::pages::serve().await;
    for path in ["/healthz", "/readyz"] {
        let reply = server.http().get(path).await;
        assert_eq!((reply.status.as_u16(), reply.json()["status"].clone()), (200, json!("ok")));
    }
    let reply = server.http().send(Method::DELETE, "/healthz", &json!(null)).await;
    assert_eq!(reply.status, 405);
}
