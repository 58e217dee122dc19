//! When would it start, and what keeps it from starting now?

use serde_json::json;

use crate::on_both_databases;
use crate::support::http::example;
use crate::support::server::TestServer;

on_both_databases! {
    async fn a_plan_answers_without_changing_anything(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let plan = http.post("/plan", &example(json!({}))).await;
        assert_eq!(plan.status, 200, "{}", plan.text);
        let plan = plan.json();
        assert_eq!((&plan["message"], &plan["starts_now"]), (&json!("It would start now."), &json!(true)));
        assert_eq!((&plan["largest_factor"], &plan["obstacle"]), (&json!(0.999_999), &json!(null)));
        assert_eq!(http.get("/history").await.json()["executions"], json!([]));
        assert_eq!(http.get("/locations").await.json()["locations"], json!([]), "not even the location is kept");

        let run = http.admit(json!({"factor": 0.6, "expected_seconds": 3_600})).await;
        let plan = http.post("/plan", &example(json!({"factor": 0.4}))).await.json();
        assert_eq!((&plan["starts_now"], &plan["obstacle"]), (&json!(false), &json!("no_room")));
        assert_eq!(plan["largest_factor"], json!(0.399_999));
        let blocking = &plan["blocking"][0];
        assert_eq!((&blocking["run_id"], &blocking["expected_seconds"]), (&run["run_id"], &json!(3_600)));
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let start: jiff::Timestamp = text(&plan["estimated_start"]).parse().expect("a time");
        let began: jiff::Timestamp = text(&run["start_time"]).parse().expect("a time");
        assert_eq!(start.duration_since(began).as_secs(), 3_600, "when what runs has ended");
        let message = text(&plan["message"]);
        assert!(message.contains("0.6 runs at azure-k8s") && message.contains("probably start at"), "{message}");

        let never = http.post("/plan", &example(json!({"factor": 1}))).await.json();
        assert_eq!((&never["obstacle"], &never["estimated_start"]), (&json!("never_fits"), &json!(null)));
        assert_eq!(http.post("/plan", &example(json!({"factor": 1.5}))).await.status, 422);
        let fields = http.post("/plan", &json!({"test": "", "factor": "x"})).await;
        assert_eq!(fields.status, 422, "what is given has to have a meaning: {}", fields.text);
    }

    async fn a_plan_needs_no_names(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"factor": 0.6})).await;
        for (body, expected) in [
            (json!({}), json!(null)),
            (json!({"location": "azure-k8s", "factor": 0.3}), json!(null)),
            (json!({"location": "azure-k8s", "factor": "0.5"}), json!("no_room")),
            (json!({"location": "azure-k8s", "factor": 1, "test": "soak"}), json!("never_fits")),
        ] {
            let plan = http.post("/plan", &body).await;
            assert_eq!((plan.status.as_u16(), &plan.json()["obstacle"]), (200, &expected), "{body}: {}", plan.text);
        }
        assert_eq!(http.get("/history").await.json()["executions"].as_array().map(Vec::len), Some(1));
    }

    async fn a_waiter_is_told_when_it_will_probably_start(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"factor": 0.6, "expected_seconds": 300})).await;
        let waiter = http.post("/register", &example(json!({"factor": 0.6, "wait_seconds": 600}))).await.json();
        let start = waiter["estimated_start"].as_str().expect("an estimate");
        let page = http.get("/").await.text;
        let shown = format!("<time datetime=\"{start}\"");
        assert!(page.contains(&shown), "{shown} in {page}");
        let beat = json!({"run_id": waiter["run_id"], "lease_token": waiter["lease_token"]});
        assert_eq!(http.post("/heartbeat", &beat).await.json()["estimated_start"], start);
    }

    async fn what_ran_before_tells_how_long_the_next_will_run(database: &TestDatabase) {
        let mut server = TestServer::start(&database.url);
        let http = server.http();
        assert_eq!(http.admit(json!({"test": "other"})).await["expected_seconds"], json!(null));
        let run = http.admit(json!({"factor": 0.1})).await;
        http.post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await;
        // What a server knows may be a minute old; one that has just started has looked just now.
        server.kill();
        let next = TestServer::start(&database.url);
        let fresh = next.http();
        assert_eq!(fresh.admit(json!({"factor": 0.1})).await["expected_seconds"], 1);
        let stranger = fresh.admit(json!({"factor": 0.1, "test": "new"})).await;
        assert_eq!(stranger["expected_seconds"], json!(null), "others at its location say nothing of it");
        assert_eq!(fresh.admit(json!({"factor": 0.1, "expected_seconds": 900})).await["expected_seconds"], 900);
        let wrong = fresh.post("/register", &example(json!({"expected_seconds": 0}))).await;
        assert_eq!(wrong.json()["errors"][0]["message"], "must be a whole number from 1 to 604800");
    }
}
