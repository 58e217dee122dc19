//! One name is one location: how names are kept, refused, remarked on and brought together.

use std::time::Duration;

use perfreg::clock::Clock;
use perfreg::domain::capacity::location::LocationName;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::pages::serve;
use crate::on_both_databases;
use crate::store::contract::start;
use crate::support::details;
use crate::support::http::{Http, example};
use crate::support::server::{TestServer, perfreg};

/// A location with a name from before there was a rule for names, and a run of 0.6 there.
async fn with_old_name(database: &crate::support::database::TestDatabase, name: &str) -> i64 {
    let store = database.store(Clock::Real).await;
    start(store.as_ref(), details(Some(name), "0.6")).await.run_id.0
}

async fn register(http: &Http, location: &str, factor: f64) -> crate::support::http::Reply {
    http.post("/register", &example(json!({"location": location, "factor": factor}))).await
}

fn remarks(answer: &Value) -> String {
    answer["remarks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

on_both_databases! {
    async fn nine_spellings_that_nobody_can_tell_apart_are_one_location(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let spellings = [
            "Zürich lab", "Zu\u{308}rich lab", " Zürich lab", "Zürich lab ", "Zürich\u{a0}lab", "\u{3000}Zürich lab", "Zürich lab\n",
            "\tZürich\u{2003}lab", "Zürich lab\u{2028}",
        ];
        let mut statuses = Vec::new();
        for spelling in spellings {
            statuses.push(register(&http, spelling, 0.6).await.status.as_u16());
        }
        assert_eq!(statuses, [vec![200], vec![409; 8]].concat());
        let locations = http.get("/locations").await.json();
        assert_eq!(locations["locations"].as_array().map(Vec::len), Some(1), "{locations}");
        assert_eq!(locations["locations"][0]["name"], "Zürich lab");
        assert_eq!(http.get("/locations/%20Zu%CC%88rich%C2%A0lab").await.json()["used"], 0.6);
    }

    async fn a_location_that_is_new_is_said_to_be_new_with_the_one_that_is_close_to_it(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let first = http.admit(json!({"location": "azure-k8s", "factor": 0.1})).await;
        assert_eq!(remarks(&first), "The location azure-k8s is new here, with a capacity of 1.");
        assert_eq!(remarks(&http.admit(json!({"location": "azure-k8s", "factor": 0.1})).await), "");
        let plan = http.post("/plan", &example(json!({"location": "Azure-K8z", "factor": 0.1}))).await.json();
        let close = "the one that is known and closest to it is azure-k8s.";
        assert!(remarks(&plan).ends_with(close), "{plan}");
        let second = http.admit(json!({"location": "azure-k8z", "factor": 0.1})).await;
        assert!(remarks(&second).ends_with(close), "{second}");
        let set = http.send(Method::PUT, "/locations/on-premise", &json!({"capacity": 2})).await.json();
        assert_eq!(remarks(&set), "The location on-premise is new here, with a capacity of 2.");
        let quoted = http.admit(json!({"location": "'azure-k8s'", "test": "\"load\"", "factor": 0.1})).await;
        for words in ["location has quotes around it", "test has quotes around it", "closest to it is azure-k8s"] {
            assert!(remarks(&quoted).contains(words), "{words} in {quoted}");
        }
    }

    async fn names_of_before_are_read_ended_flagged_and_merged(database: &TestDatabase) {
        let (odd, hidden) = (with_old_name(database, "azure-k8s ").await, with_old_name(database, "azure\u{200b}-k8s").await);
        let server = TestServer::start(&database.url);
        let http = server.http();
        let kept = http.admit(json!({"location": " azure-k8s", "factor": 0.1})).await;
        assert_eq!(kept["location"], "azure-k8s");
        let locations = http.get("/locations").await.json();
        let flaws: Vec<bool> =
            locations["locations"].as_array().expect("locations").iter().map(|one| one["flaw"].is_string()).collect();
        assert_eq!(flaws, [false, true, true], "{locations}");
        let one = http.get("/locations/azure-k8s%20").await.json();
        assert_eq!((&one["name"], &one["used"]), (&json!("azure-k8s "), &json!(0.6)));
        let run = http.get(&format!("/executions/{odd}")).await.json();
        assert_eq!(run["location"], "azure-k8s ");
        for (path, used) in [("/locations/azure-k8s%20/merge", 0.7), ("/locations/azure%E2%80%8B-k8s/merge", 1.3)] {
            let merged = http.post(path, &json!({"into": "azure-k8s", "by": "ana"})).await;
            assert_eq!(merged.status, 200, "{}", merged.text);
            assert_eq!((&merged.json()["location"]["used"], &merged.json()["moved"]), (&json!(used), &json!(1)));
        }
        assert_eq!(http.get("/locations").await.json()["locations"].as_array().map(Vec::len), Some(1));
        assert_eq!(register(&http, "azure-k8s", 0.01).await.status, 409, "more runs there than it has room for");
        for run_id in [odd, hidden, kept["run_id"].as_i64().expect("a run_id")] {
            let done = http.post("/complete", &json!({"run_id": run_id, "status": "success"})).await;
            assert_eq!(done.status, 200, "{}", done.text);
        }
        assert_eq!(http.get("/locations/azure-k8s").await.json()["used"], 0);
        assert_eq!(http.get(&format!("/executions/{odd}")).await.json()["location"], "azure-k8s");
    }

    async fn what_is_held_at_another_server_hears_of_its_start_after_a_merge(database: &TestDatabase) {
        let (one, two) = TestServer::start_two(database);
        let (http, other) = (one.http(), two.http());
        let holder = http.admit(json!({"location": "here", "factor": 0.9})).await;
        let there = http.admit(json!({"location": "there", "factor": 0.1})).await;
        let waiter = other.post("/register", &example(json!({"location": "here", "factor": 0.5, "wait_seconds": 600}))).await.json();
        let beat = json!({"run_id": waiter["run_id"], "lease_token": waiter["lease_token"], "wait_seconds": 30});
        let held_http = other.clone();
        let held = tokio::spawn(async move { held_http.post("/heartbeat", &beat).await.json() });
        sleep(Duration::from_millis(300)).await;
        assert_eq!(http.post("/locations/here/merge", &json!({"into": "there"})).await.status, 200);
        // The server that holds the call has seen the merge.
        sleep(Duration::from_millis(300)).await;
        for run in [holder, there] {
            let done = http.post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await;
            assert_eq!(done.status, 200, "{}", done.text);
        }
        let heard = timeout(Duration::from_secs(10), held).await.expect("it hears at once").expect("no panic");
        assert_eq!((&heard["status"], &heard["location"]), (&json!("running"), &json!("there")), "{heard}");
    }

    async fn a_spelling_is_mended_by_a_merge_into_the_clean_name(database: &TestDatabase) {
        with_old_name(database, " azure-vm").await;
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.send(Method::PUT, "/locations/%20azure-vm", &json!({"capacity": 3})).await;
        let merged = http.post("/locations/%20azure-vm/merge", &json!({"into": "azure-vm"})).await;
        assert_eq!(merged.status, 200, "{}", merged.text);
        let locations = http.get("/locations").await.json()["locations"].clone();
        assert_eq!(locations.as_array().map(Vec::len), Some(1), "{locations}");
        let one = &locations[0];
        assert_eq!((&one["name"], &one["capacity"], &one["used"]), (&json!("azure-vm"), &json!(3), &json!(0.6)));
    }

    async fn an_answer_that_is_given_again_remarks_on_nothing(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let keyed = [("content-type", "application/json"), ("idempotency-key", "one")];
        let body = example(json!({"location": "azure-k8s", "factor": 0.1})).to_string();
        let send = async || http.try_send_with(Method::POST, "/register", &keyed, body.clone()).await.expect("an answer").json();
        assert!(remarks(&send().await).contains("is new here"));
        assert_eq!(remarks(&send().await), "");
        let large = http.post("/register", &example(json!({"location": "azure-k8z", "factor": 2.5}))).await;
        assert!(large.text.contains("stays below the capacity. The location azure-k8z is new here"), "{}", large.text);
    }

    async fn a_registry_of_known_locations_refuses_others_and_tells_the_nearest(database: &TestDatabase) {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--database", &database.url, "--locations", "known"];
        let server = TestServer::start_with(perfreg().args(serve));
        let http = server.http();
        assert_eq!(http.send(Method::PUT, "/locations/azure-k8s", &json!({"capacity": 1})).await.status, 200);
        http.admit(json!({"location": "azure-k8s ", "factor": 0.1})).await;
        http.admit(json!({"location": null, "factor": 0.1})).await;
        for path in ["/register", "/plan"] {
            let refused = http.post(path, &example(json!({"location": "azure-k8z", "factor": 0.1}))).await;
            assert_eq!(refused.status, 422, "{}", refused.text);
            let detail = refused.json()["detail"].as_str().expect("a sentence").to_owned();
            assert_eq!(
                detail,
                "location azure-k8z is not known, and this registry takes known locations only; the closest to it is \
                 azure-k8s. Setting its capacity makes it known."
            );
        }
        let keyed = [("content-type", "application/json"), ("idempotency-key", "one")];
        let body = example(json!({"location": "azure-k8z", "factor": 0.1})).to_string();
        let send = async || http.try_send_with(Method::POST, "/register", &keyed, body.clone()).await.expect("an answer").status;
        assert_eq!(send().await, 422);
        http.send(Method::PUT, "/locations/azure-k8z", &json!({"capacity": 1})).await;
        assert_eq!(send().await, 200, "the same request starts once the location is known");
        let events = http.get("/events?kind=refused").await.json();
        assert_eq!(events["events"][0]["details"]["cause"], "unknown_location", "{events}");
    }

    async fn an_unused_location_can_be_deleted(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let run = http.admit(json!({"location": "azure-k8z", "factor": 0.1})).await;
        let delete = async || http.send(Method::DELETE, "/locations/azure-k8z?by=ana", &json!({})).await;
        let refused = delete().await;
        assert_eq!(refused.status, 409, "{}", refused.text);
        assert!(refused.text.contains("1 run there and 0 wait"), "{}", refused.text);
        http.post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await;
        assert_eq!(delete().await.status, 200);
        assert_eq!(delete().await.status, 404);
        assert_eq!(http.get("/locations").await.json(), json!({"locations": []}));
        let again = http.admit(json!({"location": "azure-k8z", "factor": 0.1})).await;
        assert!(remarks(&again).contains("is new here"), "{again}");
        assert_eq!((&run["fence"], &again["fence"]), (&json!(1), &json!(2)));
    }
}

#[tokio::test]
async fn every_text_that_names_something_is_kept_clean_or_refused_in_a_sentence() {
    let (server, _database) = serve().await;
    let http = server.http();
    for field in ["repo", "lac", "stream", "test", "type", "environment", "triggered_by", "location"] {
        let run = http.admit(json!({ field: "  Mu\u{308}nchen ", "factor": 0 })).await;
        assert_eq!(run[field], "München", "{field}");
        for (text, words) in [
            ("a\u{202e}b", "must not contain the invisible character U+202E; type it again without"),
            ("a\u{200b}", "must not contain the invisible character U+200B; type it again without"),
            ("\u{3164}", "must not contain the invisible character U+3164; type it again without"),
            ("\u{a0}", "must not be empty"),
            ("\u{301}", "must have at least one visible character"),
            ("a\u{0}b", "must not contain control characters such as NUL or a line break"),
        ] {
            let reply = http.post("/register", &example(json!({ field: text }))).await;
            assert_eq!(reply.status, 422, "{}", reply.text);
            assert_eq!(reply.json()["errors"], json!([{"field": field, "message": words}]));
        }
    }
    for name in [".", "..", " .. "] {
        let reply = register(&http, name, 0.1).await;
        assert!(reply.text.contains("must not be . or .., which no address can have"), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_merge_that_cannot_be_says_what_is_wrong() {
    let (server, _database) = serve().await;
    let http = server.http();
    http.admit(json!({"location": "azure-k8s", "factor": 0.1})).await;
    for (path, body, status, words) in [
        ("/locations/azure-k8s/merge", json!({}), 422, "into is required"),
        ("/locations/azure-k8s/merge", json!({"into": "azure-k8s "}), 422, "into must be another location"),
        (
            "/locations/azure-k8s/merge",
            json!({"into": "a\u{202e}"}),
            422,
            "into must not contain the invisible character",
        ),
        ("/locations/azure-k8s/merge", json!({"into": "x", "form": 1}), 422, "form is not a field of this call"),
        ("/locations/azure-k8s/merge", json!({"into": "azure-k9s"}), 404, "The closest to it is azure-k8s."),
        ("/locations/mainframe/merge", json!({"into": "azure-k8s"}), 404, "No test has used the location mainframe"),
    ] {
        let reply = http.post(path, &body).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        assert!(reply.text.contains(words), "{words} in {}", reply.text);
    }
    let names = http.get("/locations").await.json()["locations"].as_array().map(Vec::len);
    assert_eq!(names, Some(1), "{:?}", LocationName::new("azure-k8s"));
}
