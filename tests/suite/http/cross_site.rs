//! What pages of other sites send through the browser of somebody who may: with the very headers that Chromium sends.

use reqwest::Method;
use serde_json::json;

use super::pages::serve;
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::{Http, Reply};
use crate::support::nginx::free_port;
use crate::support::server::{TestServer, perfreg};

/// From an address that is secure enough for Chromium to say so, and from one that is not.
const FOREIGN: [&[(&str, &str)]; 5] = [
    &[("origin", "http://foreign.example"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
    &[("origin", "http://localhost:1"), ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")],
    &[("origin", "null"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
    &[("origin", "http://foreign.example")],
    &[("origin", "null")],
];

async fn send(http: &Http, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    http.try_send_with(method, path, headers, body.to_owned()).await.expect("an answer")
}

/// Every call that may change something, as far as a page can send it.
fn calls() -> [(Method, &'static str, &'static str, &'static str); 9] {
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    [
        (Method::POST, "/cancel?run_id=1", form, ""),
        (Method::POST, "/cancel", json, r#"{"run_id": 1}"#),
        (Method::POST, "/cancel", "text/plain", r#"{"run_id": 1}"#),
        (Method::POST, "/complete", json, r#"{"run_id": 1, "status": "success"}"#),
        (Method::POST, "/register", json, "{}"),
        (Method::PUT, "/registry", json, r#"{"state": "draining", "reason": "foreign"}"#),
        (Method::PUT, "/locations/azure-k8s", json, r#"{"capacity": 5}"#),
        (Method::DELETE, "/locations/azure-k8s", json, ""),
        (Method::POST, "/no-such-path", form, ""),
    ]
}

#[tokio::test]
async fn another_sites_page_changes_nothing_and_is_told_why() {
    let (server, _database) = serve().await;
    let http = server.http();
    http.admit(json!({})).await;
    let state = async || {
        [http.get("/executions/1").await.text, http.get("/locations").await.text, http.get("/registry").await.text]
    };
    let before = state().await;
    for headers in FOREIGN {
        for (method, path, content_type, body) in calls() {
            let headers = [headers, &[("content-type", content_type)]].concat();
            let reply = send(&http, method.clone(), path, &headers, body).await;
            assert_eq!(reply.status, 403, "{method} {path} {headers:?}: {}", reply.text);
            let problem = reply.json();
            assert_eq!(problem["type"], "urn:perfreg:problem:cross-site");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("--public-url")), "{problem}");
            assert_eq!(reply.header("content-type"), "application/problem+json");
            assert_eq!(reply.header("x-request-id").len(), 32);
        }
    }
    assert_eq!(state().await, before, "nothing has changed");
    let events = http.get("/events").await.text;
    assert!(!events.contains("draining"), "{events}");
    let metrics = http.get("/metrics").await.text;
    let counted = r#"route="/cancel",method="POST",status="403""#;
    let is_counted = |line: &str| line.contains("_count{") && counted.split(',').all(|label| line.contains(label));
    assert!(metrics.lines().any(is_counted), "{metrics}");
}

#[tokio::test]
async fn clients_that_are_no_page_of_another_site_see_nothing_of_it() {
    let (server, _database) = serve().await;
    let http = server.http();
    let own = server.url.clone();
    for (run_id, headers) in (1..).zip([
        // curl, and every client of the original: POST /cancel?run_id= without a body.
        &[][..],
        &[("user-agent", "Jenkins"), ("referer", "http://foreign.example/job/7")],
        &[("sec-fetch-site", "same-origin"), ("origin", &own)],
        &[("sec-fetch-site", "none")],
        &[("origin", &own)],
    ]) {
        http.admit(json!({"factor": 0.1})).await;
        let reply = send(&http, Method::POST, &format!("/cancel?run_id={run_id}"), headers, "").await;
        assert_eq!(reply.status, 200, "{headers:?}: {}", reply.text);
        assert_eq!(http.get(&format!("/executions/{run_id}")).await.json()["status"], "cancelled");
    }
    let read = [("origin", "http://foreign.example"), ("sec-fetch-site", "cross-site")];
    let reply = send(&http, Method::GET, "/status-html", &read, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, ""), "links lead here");
}

#[tokio::test]
async fn behind_a_proxy_that_asks_by_another_name_the_public_url_says_which_pages_are_its_own() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let listen = format!("127.0.0.1:{}", free_port());
    let mut command = perfreg();
    command.args(["serve", "--listen", &listen, "--database", &database.url]);
    let _server = TestServer::start_with(command.args(["--public-url", "http://ci.example.com/perfreg"]));
    let http = Http::new(&format!("http://{listen}"));
    for (run_id, origin, status) in [(1, "http://ci.example.com", 200), (2, "http://foreign.example", 403)] {
        http.admit(json!({"factor": 0.1})).await;
        let reply = send(&http, Method::POST, &format!("/cancel?run_id={run_id}"), &[("origin", origin)], "").await;
        assert_eq!(reply.status, status, "{origin}: {}", reply.text);
    }
}
