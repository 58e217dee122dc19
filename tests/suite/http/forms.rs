//! The forms of the pages, as a browser without script sends them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::http::{Http, Reply, example};
use crate::support::server::TestServer;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

/// Sends a form with these fields; a redirect is not followed.
async fn send(http: &Http, path: &str, fields: &[(&str, &str)]) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    http.step(Method::POST, path, &[FORM, BROWSER], &body).await
}

/// As a person does it: opens the form, changes these fields, and sends all that stand in it.
pub async fn fill_in(http: &Http, path: &str, changes: &[(&str, &str)]) -> Reply {
    let page = http.page(path).await.text;
    let mut fields = fields_of(&page);
    fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    fields.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    send(http, path, &fields).await
}

/// What a browser would send of the form that posts.
fn fields_of(page: &str) -> Vec<(String, String)> {
    let (_, form) = page.split_once("method=\"post\"").expect("a form");
    let (form, _) = form.split_once("</form>").expect("its end");
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.replace("&#38;", "&").replace("&#34;", "\""))
    };
    let inputs = form.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
    let is_sent = |tag: &&str| !tag.contains("type=\"radio\"") || tag.contains(" checked");
    inputs.filter(is_sent).filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?))).collect()
}

/// The page that a form leads to, in the same browser.
async fn after(http: &Http, path: &str, sent: &Reply) -> Reply {
    let cookies =
        sent.headers.get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let cookies = cookies.collect::<Vec<_>>().join("; ");
    http.step(Method::GET, path, &[BROWSER, ("cookie", &cookies)], "").await
}

fn value_of(page: &str, name: &str) -> String {
    let found = fields_of(page).into_iter().find(|(field, _)| field == name);
    found.map(|(_, value)| value).unwrap_or_default()
}

async fn run(http: &Http, run_id: i64) -> Value {
    http.get(&format!("/executions/{run_id}")).await.json()
}

async fn last_event(http: &Http, kind: &str) -> Value {
    http.get(&format!("/events?kind={kind}&limit=1")).await.json()["events"][0].clone()
}

on_both_databases! {
    async fn a_run_with_a_lease_is_asked_to_stop_and_keeps_its_share(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"lease_seconds": 60, "test": "login <spike>", "expected_seconds": 2400})).await;
        let page = http.page("/runs/1/stop").await;
        assert_eq!(page.status, 200);
        for words in ["Stop <bdi>login &#60;spike&#62;</bdi>?", "of about 40m", "within 1m", "keeps its share of 0.5", "Stop the load"] {
            assert!(page.text.contains(words), "{words} in {}", page.text);
        }
        let sent = fill_in(&http, "/runs/1/stop", &[("reason", "wrong build"), ("by", "ana")]).await;
        assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "#outcome"), "{}", sent.text);
        let (status, stop) = (run(&http, 1).await["status"].clone(), run(&http, 1).await["stop"].clone());
        assert_eq!((status, &stop["reason"], &stop["by"]), (json!("running"), &json!("wrong build"), &json!("ana")));
        let page = http.page("/runs/1/stop").await.text;
        assert!(page.contains("is asked to stop") && page.contains("by <bdi>ana</bdi>: <bdi>wrong build</bdi>"), "{page}");
        assert_eq!(last_event(&http, "stop_requested").await["by"], json!("ana"));

        // Twice the same, from a page that was open all the while, changes nothing.
        let again = [("shown", "is_asked"), ("reason", "another"), ("by", "bob")];
        let sent = send(&http, "/runs/1/stop", &again).await;
        assert_eq!((sent.status.as_u16(), run(&http, 1).await["stop"]["by"].clone()), (303, json!("ana")));
        let page = after(&http, "/runs/1/stop", &sent).await.text;
        assert!(page.contains("Somebody else did it before you.") && page.contains("your name and reason are not kept"), "{page}");

        // Its runner is gone: the page offers to give back the share.
        let ended = fill_in(&http, "/runs/1/stop", &[("reason", "its machine is gone"), ("by", "ana")]).await;
        assert_eq!(ended.status, 303);
        assert_eq!(run(&http, 1).await["status"], json!("cancelled"));
        let page = http.page("/runs/1/stop").await.text;
        assert!(page.contains("has ended") && page.contains("cancelled by ana") && page.contains("its machine is gone"), "{page}");
    }

    async fn a_run_without_a_lease_is_ended_here_after_its_pipeline_was_named(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"pipeline_url": "https://ci.example/pipelines/9", "note": "javascript:alert(1)"})).await;
        let page = http.page("/runs/1/stop").await.text;
        for words in ["End <bdi>load</bdi> here?", "its load may go on", "href=\"https://dashboard.example.com/run/123\"",
                      "href=\"https://ci.example/pipelines/9\"", "End it here"] {
            assert!(page.contains(words), "{words} in {page}");
        }
        assert!(!page.contains("javascript:"), "{page}");
        assert_eq!(fill_in(&http, "/runs/1/stop", &[("reason", "stopped by hand"), ("by", "ana")]).await.status, 303);
        assert_eq!(run(&http, 1).await["status"], json!("cancelled"));
        let ended = last_event(&http, "ended").await;
        assert_eq!((&ended["by"], &ended["details"]["reason"]), (&json!("ana"), &json!("stopped by hand")));
        // From a page that was open all the while: it has ended as was wished.
        let again = [("shown", "gives_back_share"), ("reason", "again"), ("by", "bob")];
        let sent = send(&http, "/runs/1/stop", &again).await;
        assert!(after(&http, "/runs/1/stop", &sent).await.text.contains("Somebody else did it before you."), "{}", sent.status);
    }

    async fn a_test_that_waits_leaves_the_queue_and_one_that_has_started_meanwhile_is_not_ended(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"factor": 0.9})).await;
        let mut tokens = Vec::new();
        for factor in [0.8, 0.85] {
            let waiter = example(json!({"factor": factor, "wait_seconds": 600, "lease_seconds": 60}));
            let queued = http.post("/register", &waiter).await;
            assert_eq!(queued.status, 202);
            tokens.push(queued.json()["lease_token"].clone());
        }
        let page = http.page("/runs/2/stop").await.text;
        for words in ["Take <bdi>load</bdi> from the queue?", "It has waited for", "Nothing of it runs yet", "Let it wait"] {
            assert!(page.contains(words), "{words} in {page}");
        }
        let shown = value_of(&http.page("/runs/3/stop").await.text, "shown");
        assert_eq!(fill_in(&http, "/runs/2/stop", &[("reason", "not needed"), ("by", "ana")]).await.status, 303);
        assert_eq!(run(&http, 2).await["status"], json!("cancelled"));

        http.post("/complete", &json!({"run_id": 1, "status": "success"})).await;
        http.post("/heartbeat", &json!({"run_id": 3, "lease_token": tokens[1]})).await;
        let late = send(&http, "/runs/3/stop", &[("shown", &shown), ("reason", "late"), ("by", "ana")]).await;
        assert_eq!((shown.as_str(), late.status.as_u16()), ("leaves_queue", 409), "{}", late.text);
        assert!(late.text.contains("nothing was done") && late.text.contains("value=\"late\""), "{}", late.text);
        let started = run(&http, 3).await;
        assert_eq!((&started["status"], &started["stop"]), (&json!("running"), &Value::Null));
    }

    async fn what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({})).await;
        let long = "x".repeat(256);
        for (path, fields, words) in [
            ("/runs/1/stop", vec![("reason", ""), ("by", "ana <b>")], vec!["The reason is required.", "value=\"ana &#60;b&#62;\""]),
            ("/runs/1/stop", vec![("reason", "why"), ("by", " ")], vec!["Your name must not be empty.", "value=\"why\""]),
            ("/runs/1/stop", vec![("reason", &long), ("by", "a\u{202e}b")],
             vec!["The reason must have at most 255 characters.", "Your name must not contain the invisible character U+202E"]),
            ("/locations/azure-k8s", vec![("capacity", "much"), ("state", "open"), ("by", "ana")],
             vec!["The capacity must be a decimal number such as 0.25", "value=\"much\""]),
            ("/locations/azure-k8s", vec![("capacity", "0"), ("state", "draining"), ("reason", ""), ("by", "")],
             vec!["The capacity must be above 0.", "The reason is required, so that everybody who waits can be told.", "Your name is required.",
                  "value=\"draining\" checked"]),
            ("/locations/azure-k8s", vec![("capacity", "1"), ("state", "stopped"), ("reason", "x"), ("until", "2020-01-01T00:00"), ("by", "ana")],
             vec!["The time at which it opens must be in the future.", "value=\"2020-01-01T00:00\""]),
            ("/registry", vec![("state", "shut"), ("by", "ana")], vec!["The state must be one of open, draining, stopped."]),
            ("/registry", vec![("by", "ana")], vec!["The state is required."]),
            ("/registry", vec![("state", "open"), ("reason", "release"), ("after", "2h"), ("by", "ana")],
             vec!["The reason must be empty where the state is open.", "The time after which it opens must be empty", "value=\"release\""]),
            ("/registry", vec![("state", "draining"), ("reason", "x"), ("after", "soon"), ("by", "ana")],
             vec!["must be a length of time such as 30m, 2h or 1d.", "value=\"soon\""]),
        ] {
            let reply = send(&http, path, &fields).await;
            assert_eq!(reply.status, 422, "{path} {fields:?}: {}", reply.text);
            assert!(reply.header("content-type").starts_with("text/html") && reply.header("set-cookie").is_empty());
            for word in words {
                assert!(reply.text.contains(word), "{word} in {}", reply.text);
            }
        }
        assert_eq!(run(&http, 1).await["status"], json!("running"));
        assert_eq!(http.get("/events?kind=location_set,registry_set,stop_requested").await.json()["events"], json!([]));
    }

    async fn a_location_is_set_as_the_form_says_and_only_what_was_changed(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"factor": 0.85})).await;
        let sent = fill_in(&http, "/locations/azure-k8s", &[("capacity", "0.5"), ("by", "ana")]).await;
        assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "#outcome"), "{}", sent.text);
        let noted = last_event(&http, "location_set").await;
        assert_eq!((&noted["by"], &noted["details"]["capacity"], &noted["details"]["state"]), (&json!("ana"), &json!(0.5), &Value::Null));
        let page = after(&http, "/locations/azure-k8s", &sent).await.text;
        assert!(page.contains("Saved.") && page.contains("0.85, which is not below the capacity of 0.5"), "{page}");

        let drain = [("state", "draining"), ("reason", "release"), ("after", "2h"), ("by", "ana")];
        assert_eq!(fill_in(&http, "/locations/azure-k8s", &drain).await.status, 303);
        let noted = last_event(&http, "location_set").await;
        assert_eq!((&noted["details"]["capacity"], &noted["details"]["state"]), (&Value::Null, &json!("draining")));
        let gate = http.get("/locations/azure-k8s").await.json()["gate"].clone();
        assert_eq!((&gate["reason"], gate["until"].is_string()), (&json!("release"), true));

        // All as it was: nothing is set, and its time stays to the second.
        let same = fill_in(&http, "/locations/azure-k8s", &[("by", "bob")]).await;
        assert_eq!(same.header("location"), "#outcome");
        assert_eq!(http.get("/locations/azure-k8s").await.json()["gate"], gate);
        assert_eq!(fill_in(&http, "/locations/azure-k8s", &[("state", "open"), ("by", "ana")]).await.status, 303);
        assert_eq!(http.get("/locations/azure-k8s").await.json()["gate"]["state"], json!("open"));
    }

    async fn a_change_by_somebody_else_meanwhile_is_said_and_nothing_is_done(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"factor": 0.1})).await;
        let page = http.page("/locations/azure-k8s").await.text;
        let opened = value_of(&page, "shown");
        // What runs there comes and goes all the time, and is no change of the location.
        http.admit(json!({"factor": 0.1})).await;
        assert_eq!(value_of(&http.page("/locations/azure-k8s").await.text, "shown"), opened);
        http.send(Method::PUT, "/locations/azure-k8s", &json!({"capacity": 3, "by": "bob"})).await;
        let stale = [("shown", opened.as_str()), ("capacity", "2"), ("state", "open"), ("by", "ana")];
        let late = send(&http, "/locations/azure-k8s", &stale).await;
        assert_eq!(late.status, 409, "{}", late.text);
        assert!(late.text.contains("nothing was done. Its capacity is 3 now, and it is open.") && late.text.contains("value=\"2\""), "{}", late.text);
        assert_eq!(http.get("/locations/azure-k8s").await.json()["capacity"], json!(3));
        let fresh = value_of(&late.text, "shown");
        let again = [("shown", fresh.as_str()), ("capacity", "2"), ("state", "open"), ("by", "ana")];
        assert_eq!(send(&http, "/locations/azure-k8s", &again).await.status, 303);

        let opened = value_of(&http.page("/registry").await.text, "shown");
        http.send(Method::PUT, "/registry", &json!({"state": "draining", "reason": "upgrade", "by": "bob"})).await;
        let stale = [("shown", opened.as_str()), ("state", "stopped"), ("reason", "fire"), ("by", "ana")];
        let late = send(&http, "/registry", &stale).await;
        assert!(late.status == 409 && late.text.contains("value=\"fire\""), "{}", late.text);
        assert_eq!(http.get("/registry").await.json()["state"], json!("draining"));
    }

    async fn the_registry_is_stopped_and_opened_by_a_form(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"factor": 0.3, "lease_seconds": 60})).await;
        http.admit(json!({"factor": 0.3})).await;
        let page = http.page("/registry").await.text;
        assert!(page.contains("1 with a lease runs now. 1 without one goes on until somebody ends it."), "{page}");
        let stop = [("state", "stopped"), ("reason", "the cluster is on fire"), ("by", "ana")];
        let sent = fill_in(&http, "/registry", &stop).await;
        assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "#outcome"), "{}", sent.text);
        assert!(run(&http, 1).await["stop"].is_object() && run(&http, 2).await["stop"].is_null());
        let page = after(&http, "/registry", &sent).await.text;
        assert!(page.contains("Saved.") && page.contains("The whole registry is stopped, says <bdi>ana</bdi>: <bdi>the cluster is on fire</bdi>"), "{page}");
        let refused = http.post("/register", &example(json!({"factor": 0.1}))).await;
        assert_eq!(refused.status, 409);
        assert!(http.page("/locations/azure-k8s").await.text.contains("The whole registry is stopped"));
        assert_eq!(fill_in(&http, "/registry", &[("state", "open"), ("by", "ana")]).await.status, 303);
        assert_eq!(last_event(&http, "registry_set").await["by"], json!("ana"));
        http.admit(json!({"factor": 0.1})).await;
    }
}

#[tokio::test]
async fn a_time_is_that_of_the_readers_zone_and_the_name_is_remembered() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    http.admit(json!({})).await;
    let body = "capacity=1&state=draining&reason=r&until=2099-07-01T16%3A00&by=Ana+M%C3%BCller";
    let zone = ("cookie", "zone=Europe%2FBerlin");
    let sent = http.step(Method::POST, "/locations/azure-k8s", &[FORM, zone], body).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    assert_eq!(http.get("/locations/azure-k8s").await.json()["gate"]["until"], json!("2099-07-01T14:00:00Z"));
    let cookie = sent.header("set-cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Max-Age=31536000"),
        "{cookie}"
    );
    let named = format!("zone=Europe%2FBerlin; {}", cookie.split(';').next().expect("a cookie"));
    let page = http.step(Method::GET, "/locations/azure-k8s", &[BROWSER, ("cookie", &named)], "").await.text;
    for words in ["value=\"2099-07-01T16:00\"", "The time is in Europe/Berlin.", "value=\"Ana Müller\""] {
        assert!(page.contains(words), "{words} in {page}");
    }
}

#[tokio::test]
async fn an_outcome_is_told_once_to_the_browser_that_sent_the_form_and_to_no_address() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    for location in ["azure-k8s", "other"] {
        http.admit(json!({"location": location, "factor": 0.1})).await;
    }
    let from = ("referer", "https://ci.example/perfreg/locations/azure-k8s");
    let sent = http.step(Method::POST, "/locations/azure-k8s", &[FORM, from], "capacity=2&state=open&by=ana").await;
    let cookies: Vec<&str> = sent.headers.get_all("set-cookie").iter().filter_map(|one| one.to_str().ok()).collect();
    let outcome = cookies.iter().find(|one| one.starts_with("outcome=saved")).expect("a cookie");
    for attribute in ["HttpOnly", "SameSite=Strict", "Max-Age=60", "Path=/perfreg"] {
        assert!(outcome.contains(attribute), "{outcome}");
    }
    assert!(cookies.iter().any(|one| one.starts_with("by=ana;") && one.contains("Path=/perfreg")), "{cookies:?}");
    let told = after(&http, "/locations/azure-k8s", &sent).await;
    assert!(told.text.contains("Saved."), "{}", told.text);
    assert!(told.header("set-cookie").starts_with("outcome=;") && told.header("set-cookie").contains("Max-Age=0"));
    assert!(!after(&http, "/locations/other", &sent).await.text.contains("Saved."));
    for path in ["/locations/azure-k8s", "/locations/azure-k8s?saved", "/registry?saved"] {
        let page = http.page(path).await;
        assert!(!page.text.contains("Saved.") && page.header("set-cookie").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn one_address_shows_a_browser_a_page_and_tells_a_program_json() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    http.admit(json!({})).await;
    for path in ["/locations/azure-k8s", "/registry"] {
        let told = http.get(path).await;
        assert_eq!((told.header("content-type"), told.header("vary")), ("application/json", "accept"), "{path}");
        let shown = http.page(path).await;
        assert!(
            shown.header("content-type").starts_with("text/html") && shown.header("vary").contains("accept"),
            "{path}"
        );
        let json = http.step(Method::GET, path, &[("accept", "application/json, text/html;q=0.1")], "").await;
        assert_eq!(json.header("content-type"), "application/json", "{path}");
    }
    assert_eq!(http.get("/locations/elsewhere").await.header("content-type"), "application/problem+json");
    for path in ["/locations", "/locations/"] {
        let all = http.get(path).await;
        assert_eq!((all.status.as_u16(), all.header("content-type")), (200, "application/json"), "{path}");
        assert!(
            http.page(path).await.text.contains("<h1>The whole registry<"),
            "{path} leads a browser to the list of them"
        );
    }
}

#[tokio::test]
async fn only_a_whole_form_that_is_known_is_taken() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    http.admit(json!({})).await;
    let large = format!("reason={}&by=ana", "x".repeat(64 * 1024));
    for (content_type, body, status, words) in [
        (
            "application/json",
            "{\"reason\": \"x\", \"by\": \"ana\"}",
            415,
            "Send the form as application/x-www-form-urlencoded",
        ),
        ("text/plain", "reason=x&by=ana", 415, "Send the form as"),
        (
            FORM.1,
            "reason=x&by=ana&by=bob",
            422,
            "by must not be given twice. Nothing was changed; open the page of the form again",
        ),
        (
            FORM.1,
            "reason=x&by=ana&resaon=y",
            422,
            "Nothing was changed; open the page of the form again, and send it from there.",
        ),
        (FORM.1, "reason=%ff&by=ana", 415, "The form is not in UTF-8, so nothing was changed"),
        ("application/x-www-form-urlencoded; charset=iso-8859-1", "reason=x&by=ana", 415, "The form is not in UTF-8"),
        (FORM.1, &large, 413, "larger than 64 KiB"),
    ] {
        for path in ["/runs/1/stop", "/locations/azure-k8s", "/registry", "/zone"] {
            let reply = http.step(Method::POST, path, &[("content-type", content_type)], body).await;
            assert_eq!(reply.status, status, "{path} {words}: {}", reply.text);
            if path == "/runs/1/stop" || status != 422 {
                assert!(reply.text.contains(words), "{words} in {}", reply.text);
            }
        }
    }
    assert_eq!(run(&http, 1).await["status"], json!("running"));
    let unknown = send(&http, "/runs/99/stop", &[("reason", "x"), ("by", "ana")]).await;
    assert!(unknown.status == 404 && unknown.text.contains("No test has this run_id."), "{}", unknown.text);
    for path in ["/runs/99/stop", "/runs/x/stop", "/runs/-1/stop"] {
        assert_eq!(http.page(path).await.status, 404, "{path}");
    }
    http.post("/complete", &json!({"run_id": 1, "status": "success"})).await;
    let late = send(&http, "/runs/1/stop", &[("shown", "gives_back_share"), ("reason", "x"), ("by", "ana")]).await;
    assert!(late.status == 409 && late.text.contains("Test 1 already ended as success"), "{}", late.text);
    assert_eq!(http.step(Method::DELETE, "/runs/1/stop", &[], "").await.status, 405);
}
