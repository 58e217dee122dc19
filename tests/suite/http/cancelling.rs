//! `POST /cancel` of everything that started at a location before some time.

use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::database::execute;
use crate::support::http::Http;
use crate::support::server::TestServer;

const FAR: &str = "2999-01-01";

fn run_ids(list: &Value) -> Vec<i64> {
    list.as_array().expect("a list").iter().map(|run| run["run_id"].as_i64().expect("a number")).collect()
}

async fn status(http: &Http, run_id: i64) -> String {
    let run = http.get(&format!("/executions/{run_id}")).await.json();
    let stopping = if run["stop"].is_null() { "" } else { ", stopping" };
    format!("{}{stopping}", run["status"].as_str().expect("a word"))
}

on_both_databases! {
    async fn what_started_before_then_is_ended_or_asked_to_stop_and_a_dry_run_only_tells(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"location": "here", "factor": 0.2})).await;
        http.admit(json!({"location": "here", "factor": 0.3, "lease_seconds": 60})).await;
        http.admit(json!({"location": "HERE", "factor": 0.2})).await;
        http.admit(json!({"location": "here%", "factor": 0.2})).await;
        http.admit(json!({"location": null, "factor": 0.2})).await;
        let waiter = crate::support::http::example(json!({"location": "here", "factor": 0.9, "wait_seconds": 600}));
        assert_eq!(http.post("/register", &waiter).await.status, 202);

        let mut cancel = json!({"location": "here", "started_before": FAR, "dry_run": true, "reason": "left over", "by": "ana"});
        let foreseen = http.post("/cancel", &cancel).await.json();
        assert_eq!((run_ids(&foreseen["ended"]), run_ids(&foreseen["stopping"])), (vec![1], vec![2]));
        assert_eq!(foreseen["message"], "1 test would be cancelled, 1 asked to stop");
        assert_eq!((status(&http, 1).await.as_str(), status(&http, 2).await.as_str()), ("running", "running"));

        cancel["dry_run"] = json!(false);
        let done = http.post("/cancel", &cancel).await.json();
        assert_eq!((&done["ended"], &done["stopping"], &done["more"]), (&foreseen["ended"], &foreseen["stopping"], &json!(false)));
        let expected = [(1, "cancelled"), (2, "running, stopping"), (3, "running"), (4, "running"), (5, "running"), (6, "queued")];
        for (run_id, expected) in expected {
            assert_eq!(status(&http, run_id).await, expected, "run {run_id}");
        }
        let ended = &http.get("/executions/1/events?kind=ended").await.json()["events"][0];
        assert_eq!((&ended["by"], &ended["details"]["reason"]), (&json!("ana"), &json!("left over")));
        assert_eq!(http.get("/locations/here").await.json()["used"].to_string(), "0.3");
        let again = http.post("/cancel", &cancel).await.json();
        assert_eq!((run_ids(&again["ended"]), run_ids(&again["stopping"])), (vec![], vec![2]), "asking again does no harm");

        let nowhere = http.post("/cancel", &json!({"without_location": true, "started_before": FAR})).await.json();
        assert_eq!(run_ids(&nowhere["ended"]), [5]);
        let early = http.post("/cancel", &json!({"location": "HERE", "started_before": "2020-01-01"})).await.json();
        assert_eq!(run_ids(&early["ended"]), Vec::<i64>::new());
    }

    async fn who_starts_in_the_room_that_this_makes_is_not_cancelled(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let register = |_| http.admit(json!({"location": "here", "factor": 0.003}));
        futures_util::future::join_all((0..300).map(register)).await;
        let waiter = crate::support::http::example(json!({"location": "here", "factor": 0.9, "wait_seconds": 600}));
        assert_eq!(http.post("/register", &waiter).await.status, 202);
        let done = http.post("/cancel", &json!({"location": "here", "started_before": FAR})).await.json();
        assert_eq!((run_ids(&done["ended"]).len(), run_ids(&done["stopping"]).len()), (300, 0));
        assert_eq!(status(&http, 301).await, "running");
    }

    async fn more_than_one_transaction_takes_are_cancelled_by_one_call(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let register = |_| http.admit(json!({"location": "here", "factor": 0.001}));
        futures_util::future::join_all((0..600).map(register)).await;
        let done = http.post("/cancel", &json!({"location": "here", "started_before": FAR})).await.json();
        assert_eq!(run_ids(&done["ended"]), (1..=600).collect::<Vec<i64>>());
        let here = http.get("/locations/here").await.json();
        assert_eq!((&here["used"], &here["running"]), (&json!(0), &json!(0)));
    }

    async fn what_could_cancel_too_much_is_refused_and_changes_nothing(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"location": "here", "factor": 0.2})).await;
        http.admit(json!({"location": null, "factor": 0.2})).await;
        for (path, body, status, words) in [
            ("/cancel", json!({"location": "here"}), 422, "started_before is required"),
            ("/cancel", json!({"started_before": FAR}), 422, "location is required, or without_location"),
            ("/cancel", json!({"location": null, "started_before": FAR}), 422, "location is required"),
            ("/cancel", json!({"location": "", "started_before": FAR}), 422, "location must not be empty"),
            ("/cancel", json!({"location": "a\0b", "started_before": FAR}), 422, "location must not contain control characters such as NUL"),
            ("/cancel", json!({"location": "here", "without_location": true, "started_before": FAR}), 422, "and not both"),
            ("/cancel", json!({"location": "here", "started_before": "yesterday"}), 422, "started_before must be a time such as"),
            ("/cancel", json!({"location": "here", "started_before": FAR, "dryrun": true}), 422, "dryrun is not a field"),
            ("/cancel", json!({"location": "here", "started_before": FAR, "force": true}), 422, "force is not a field"),
            ("/cancel", json!({"location": "there", "started_before": FAR}), 404, "No test has used the location there"),
            ("/cancel?run_id=", json!({"location": "here", "started_before": FAR}), 422, "must come without a query"),
            ("/cancel?dry_run=true", json!({"location": "here", "started_before": FAR}), 422, "must come without a query"),
        ] {
            let reply = http.post(path, &body).await;
            assert_eq!(reply.status, status, "{path} {body}: {}", reply.text);
            assert!(reply.text.contains(words), "{path} {body}: {}", reply.text);
        }
        let in_query = http.post_text("/cancel?location=here&started_before=2999-01-01", "").await;
        assert!(in_query.status == 422 && in_query.text.contains("location must stand in a JSON body"), "{}", in_query.text);
        assert_eq!(http.get("/status").await.json()["running"].as_array().map(Vec::len), Some(2));
        // A client of the original may say more than the run_id.
        let one = http.post("/cancel", &json!({"run_id": 1, "repo": "myrepo", "status": "cancelled", "location": null})).await;
        assert_eq!((one.status.as_u16(), one.json()["run_id"].clone()), (200, json!(1)));
        assert_eq!(http.post_text("/cancel?run_id=2&repo=myrepo", "").await.status, 200);
    }

    async fn beside_a_run_id_nothing_of_the_other_form_is_taken(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"location": "here", "factor": 0.2})).await;
        let whole = json!({"location": "here", "started_before": FAR, "dry_run": true});
        for (path, body, field) in [
            ("/cancel", json!({"run_id": 1, "dry_run": true}), "dry_run"),
            ("/cancel", json!({"run_id": "1", "dry_run": false}), "dry_run"),
            ("/cancel", json!({"run_id": 1, "location": "there"}), "location"),
            ("/cancel", json!({"run_id": 1, "without_location": true}), "without_location"),
            ("/cancel", json!({"run_id": 1, "started_before": "2020-01-01"}), "started_before"),
            ("/cancel?run_id=1", whole, "started_before"),
            ("/cancel?run_id=1", json!({"run_id": 1, "dry_run": true}), "dry_run"),
            ("/cancel?run_id=1&dry_run=true", json!({"by": "ana"}), "dry_run"),
            ("/cancel?dry_run&run_id=1", json!({}), "dry_run"),
            ("/cancel?dry_run=true", json!({"run_id": 1}), "dry_run"),
        ] {
            let reply = http.post(path, &body).await;
            let said = format!("{field} must not stand beside a run_id");
            assert!(reply.status == 422 && reply.text.contains(&said), "{path} {body}: {}", reply.text);
        }
        let without_body = http.post_text("/cancel?run_id=1&dry_run=true", "").await;
        assert_eq!(without_body.status, 422, "{}", without_body.text);
        let yesterday = http.post("/cancel", &json!({"location": "here", "started_before": "yesterday"})).await;
        assert!(!yesterday.text.contains("URL"), "{}", yesterday.text);
        assert_eq!(status(&http, 1).await, "running");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_takes_ten_thousand_runs_and_says_that_there_are_more() {
    let (server, database) = super::pages::serve().await;
    let http = server.http();
    http.admit(json!({"location": "here", "factor": 0})).await;
    let copies = "INSERT INTO test_executions (id, run_id, repo, lac, stream, test, type, environment, triggered_by, status,
                                               start_time, location, extra)
                  WITH RECURSIVE number (value) AS (SELECT 2 UNION ALL SELECT value + 1 FROM number WHERE value < 10001)
                  SELECT printf('00000000-0000-4000-8000-%012d', value), value, repo, lac, stream, test, type, environment, triggered_by, status, start_time,
                         location, extra
                    FROM test_executions, number";
    execute(&database, copies).await;
    let cancel = json!({"location": "here", "started_before": FAR, "dry_run": true});
    let foreseen = http.post("/cancel", &cancel).await.json();
    assert_eq!((run_ids(&foreseen["ended"]).len(), &foreseen["more"]), (10_000, &json!(true)));
    execute(&database, "DELETE FROM test_executions WHERE run_id = 10001").await;
    let foreseen = http.post("/cancel", &cancel).await.json();
    assert_eq!((run_ids(&foreseen["ended"]).len(), &foreseen["more"]), (10_000, &json!(false)));
}
