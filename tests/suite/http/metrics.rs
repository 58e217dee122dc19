//! `GET /metrics`, and the id of a request.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::on_both_databases;
use crate::support::database::TestDatabase;
use crate::support::http::{Http, Reply, example};
use crate::support::server::{PATIENCE, TestServer};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

async fn metrics(http: &Http, accept: &str) -> Reply {
    http.try_send_with(Method::GET, "/metrics", &[("accept", accept)], "").await.expect("an answer")
}

/// The value of a series, which is named with all of its labels.
fn value(text: &str, series: &str) -> Option<f64> {
    let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    text.lines().find_map(value)
}

/// Reads anew until the series has the value; what is told of a location may be a second old.
async fn expect(http: &Http, series: &str, expected: f64) {
    let give_up = tokio::time::Instant::now() + PATIENCE;
    loop {
        let text = metrics(http, "").await.text;
        let found = value(&text, series);
        if found.is_some_and(|found| (found - expected).abs() < 1e-9) {
            return;
        }
        assert!(tokio::time::Instant::now() < give_up, "{series} is {found:?}, not {expected}, in {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The line of the log in which all of these stand; it may come a moment after the answer.
async fn logged(server: &TestServer, words: &[&str]) -> String {
    let give_up = tokio::time::Instant::now() + PATIENCE;
    loop {
        let log = server.log();
        if let Some(line) = log.lines().find(|line| words.iter().all(|word| line.contains(word))) {
            return line.to_owned();
        }
        assert!(tokio::time::Instant::now() < give_up, "no line with {words:?} in {log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn sqlite() -> (TestDatabase, TestServer) {
    use crate::support::database::Engine;
    let database = TestDatabase::new(Engine::Sqlite).await;
    let server = TestServer::start(&database.url);
    (database, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_come_as_plain_text_unless_openmetrics_is_preferred() {
    let (_database, server) = sqlite().await;
    for (accept, content_type) in [
        ("*/*", PLAIN),
        ("text/plain;version=0.0.4", PLAIN),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPEN_METRICS),
        ("application/openmetrics-text;version=1.0.0;q=0.1,text/plain;version=0.0.4;q=0.5", PLAIN),
    ] {
        let reply = metrics(&server.http(), accept).await;
        assert_eq!((reply.header("content-type"), reply.header("vary")), (content_type, "accept"), "{accept}");
        assert_eq!(reply.text.ends_with("# EOF\n"), content_type == OPEN_METRICS);
        assert_eq!(reply.text.contains("# TYPE perfreg_build_info gauge"), content_type == PLAIN);
        assert!(value(&reply.text, "perfreg_database_up").is_some_and(|up| up > 0.5), "{}", reply.text);
    }
}

on_both_databases! {
    async fn metrics_tell_of_a_location_what_runs_waits_and_was_refused(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let run = http.admit(json!({"factor": 0.6, "location": "here"})).await;
        http.post("/register", &example(json!({"factor": 0.6, "location": "here", "wait_seconds": 600}))).await;
        http.post("/register", &example(json!({"factor": 0.6, "location": "here"}))).await;
        http.post("/register", &example(json!({"factor": 7, "location": "here"}))).await;
        for (series, expected) in [
            ("perfreg_location_capacity{location=\"here\"}", 1.0),
            ("perfreg_location_used{location=\"here\"}", 0.6),
            ("perfreg_location_running{location=\"here\"}", 1.0),
            ("perfreg_location_waiting{location=\"here\"}", 1.0),
            ("perfreg_location_suspect{location=\"here\"}", 0.0),
            ("perfreg_location_overdue{location=\"here\"}", 0.0),
            ("perfreg_location_state{location=\"here\",state=\"open\"}", 1.0),
            ("perfreg_registry_state{state=\"stopped\"}", 0.0),
            ("perfreg_registrations_total{location=\"here\",result=\"started\",cause=\"\"}", 1.0),
            ("perfreg_registrations_total{location=\"here\",result=\"queued\",cause=\"no_room\"}", 1.0),
            ("perfreg_registrations_total{location=\"here\",result=\"refused\",cause=\"no_room\"}", 1.0),
            ("perfreg_registrations_total{location=\"here\",result=\"refused\",cause=\"too_large\"}", 1.0),
            ("perfreg_wait_seconds_count", 1.0),
        ] {
            expect(&http, series, expected).await;
        }
        http.post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await;
        for (series, expected) in [
            ("perfreg_ended_total{location=\"here\",status=\"success\",end_reason=\"\"}", 1.0),
            ("perfreg_run_seconds_count", 1.0),
            ("perfreg_wait_seconds_count", 2.0),
            ("perfreg_location_waiting{location=\"here\"}", 0.0),
        ] {
            expect(&http, series, expected).await;
        }
        let text = metrics(&http, "").await.text;
        assert!(value(&text, "perfreg_database_wait_seconds_count").is_some_and(|count| count > 0.0), "{text}");
        let limit = value(&text, "perfreg_database_connections_limit");
        assert!(limit.is_some_and(|limit| limit >= 5.0), "{text}");
        assert!(text.contains("perfreg_database_errors_total{kind=\"broken\"} 0"), "{text}");
        let line = logged(&server, &[": started", "run_id=2"]).await;
        for word in ["test=\"load\"", "location=\"here\"", "factor=0.6", "by=\"user1\"", "waited_seconds="] {
            assert!(line.contains(word), "{word} in {line}");
        }
    }

    async fn a_location_that_is_closed_is_so_in_the_metrics_of_every_server(database: &TestDatabase) {
        let (first, second) = TestServer::start_two(database);
        first.http().send(Method::PUT, "/locations/here", &json!({"state": "draining", "reason": "x"})).await;
        for server in [&first, &second] {
            expect(&server.http(), "perfreg_location_state{location=\"here\",state=\"draining\"}", 1.0).await;
            expect(&server.http(), "perfreg_location_state{location=\"here\",state=\"open\"}", 0.0).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_their_route_and_never_by_their_path() {
    let (_database, server) = sqlite().await;
    let http = server.http();
    for path in
        ["/executions/1", "/executions/2", "/.env", "/wp-login.php", "/docs/", "/docs/swagger-ui.css", "/", "/board/"]
    {
        http.get(path).await;
    }
    http.send(Method::from_bytes(b"BREW").expect("a method"), "/status", &json!({})).await;
    let text = metrics(&http, "").await.text;
    let count = |route: &str, method: &str, status: u16| {
        let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
        value(&text, &format!("perfreg_http_request_duration_seconds_count{{{labels}}}")).map(|count| count.to_string())
    };
    for (route, method, status, expected) in [
        ("/executions/{run_id}", "GET", 404, "2"),
        ("other", "GET", 404, "2"),
        ("/docs/", "GET", 200, "1"),
        ("/board", "GET", 200, "1"),
        ("/docs/{*file}", "GET", 200, "1"),
        ("/status", "other", 405, "1"),
    ] {
        assert_eq!(count(route, method, status).as_deref(), Some(expected), "{route} {method} {status} in {text}");
    }
    for part in ["/executions/1", ".env", "wp-login", "BREW", "swagger-ui.css"] {
        assert!(!text.contains(part), "{part} in {text}");
    }
    assert!(value(&text, "perfreg_http_connections").is_some_and(|open| open >= 1.0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_test_but_its_location_is_a_label() {
    let (_database, server) = sqlite().await;
    let http = server.http();
    let words = json!({"repo": "secret-repo", "stream": "secret-stream", "test": "secret-test", "lac": "secret-lac",
                       "triggered_by": "secret-user", "environment": "secret-env", "location": "quote\" and \\ and é"});
    http.admit(words).await;
    let text = metrics(&http, "").await.text;
    assert!(!text.contains("secret"), "{text}");
    assert!(text.contains(r#"perfreg_location_running{location="quote\" and \\ and é"} 1"#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_its_id_in_the_answer_and_in_every_log_line_under_it() {
    let (_database, server) = sqlite().await;
    let http = server.http();
    let headers = [("x-request-id", "ci-7/3"), ("content-type", "application/json")];
    let body = example(json!({})).to_string();
    let reply = http.try_send_with(Method::POST, "/register", &headers, body.clone()).await.expect("an answer");
    assert_eq!((reply.status.as_u16(), reply.header("x-request-id")), (200, "ci-7/3"));
    let wrong = [("x-request-id", "two words"), ("content-type", "application/json")];
    let refused = http.try_send_with(Method::POST, "/register", &wrong, body).await.expect("an answer");
    let made = refused.header("x-request-id").to_owned();
    assert_eq!((refused.status.as_u16(), made.len()), (409, 32));
    for (id, word) in [("ci-7/3", ": started"), (made.as_str(), ": refused")] {
        let line = logged(&server, &[&format!("id=\"{id}\""), word]).await;
        for part in ["method=\"POST\"", "route=\"/register\"", "test=\"load\"", "by=\"user1\""] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}
