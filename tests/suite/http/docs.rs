//! The API's description.

use std::collections::BTreeSet;
use std::fs;

use perfreg::domain::event::EventKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::pages::serve;

/// Every operation of the document, with its method and its path.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    paths
        .flat_map(|(path, item)| {
            let item = item.as_object().expect("operations").iter();
            item.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
        })
        .collect()
}

fn document() -> Value {
    serde_json::to_value(perfreg::http::openapi()).expect("JSON")
}

#[test]
fn the_openapi_document_is_as_reviewed() {
    insta::assert_json_snapshot!(document());
}

#[test]
fn every_operation_says_in_plain_words_what_it_does_and_answers() {
    let document = document();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        assert!(name.contains('_') && name.split('_').all(is_word), "{name} is no <verb>_<resource>");
        assert!(names.insert(name.to_owned()), "{name} is the name of two operations");
        // A heading is shown as it stands, and Markdown only below it.
        let summary = operation["summary"].as_str().expect("a summary");
        assert!(!summary.contains(['`', '\n']) && summary.len() <= 80, "{method} {path}: {summary}");
        for (status, answer) in operation["responses"].as_object().expect("answers") {
            let says = answer["description"].as_str().unwrap_or_default();
            assert!(says.ends_with('.'), "{method} {path} does not say what {status} means");
        }
    }
}

/// Generated clients have no types for these, or need a library for them.
#[test]
fn no_type_is_one_that_generated_clients_cannot_have() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for (name, schema) in schemas {
        let parts = |keyword: &str| schema[keyword].as_array().cloned().unwrap_or_default();
        assert!(parts("oneOf").is_empty(), "{name} is one of several");
        assert!(parts("anyOf").iter().all(|one| one["$ref"].is_null()), "{name} is any of several objects");
    }
    for (method, path, operation) in operations(&document) {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert!(body.is_null() || body["$ref"].is_string(), "{method} {path} has a body without a name: {body}");
    }
    let mut constants = BTreeSet::new();
    for constant in schemas.values().filter_map(|schema| schema["enum"].as_array()).flatten() {
        assert!(constants.insert(constant.to_string()), "{constant} is in two enumerations, which Go cannot have");
    }
}

#[test]
fn the_reference_opens_with_the_life_of_a_test() {
    let document = serde_json::to_string(&perfreg::http::openapi()).expect("JSON");
    let place = |path: &str| document.find(&format!("\"{path}\":{{")).unwrap_or_else(|| panic!("no {path}"));
    let life = ["/register", "/plan", "/heartbeat", "/complete", "/cancel", "/status", "/history", "/locations"];
    assert!(life.map(place).is_sorted(), "the calls are in another order");
    let first = document.find("\"paths\":{\"/register\":{");
    assert!(first.is_some(), "something stands before /register");
}

#[test]
fn the_kinds_of_events_are_those_that_there_are() {
    let described = &document()["components"]["schemas"]["Event"]["properties"]["kind"]["enum"];
    assert_eq!(*described, json!(EventKind::ALL.map(EventKind::as_str)));
}

/// What forms of the pages are sent to, at addresses where the API has something else.
const FORMS: [(&str, &str); 2] = [("/locations/{name}", "post"), ("/registry", "post")];

#[tokio::test]
async fn what_is_described_is_what_is_routed() {
    let (server, _database) = serve().await;
    let http = server.http();
    let document = document();
    let described: BTreeSet<(&str, &str)> =
        operations(&document).into_iter().map(|(method, path, _)| (path, method)).collect();
    let paths: BTreeSet<&str> = described.iter().map(|(path, _)| *path).collect();
    for path in paths {
        let address = path.replace("{run_id}", "1").replace("{name}", "here");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let name = method.as_str().to_ascii_lowercase();
            let reply = http.try_send(method, &address, "application/json", "").await.expect("an answer");
            let is_routed = reply.status != 405 && !reply.text.contains("There is nothing at");
            let is_known = described.contains(&(path, &name)) || FORMS.contains(&(path, &name));
            assert_eq!(is_routed, is_known, "{name} {path}: {}", reply.text);
        }
    }
    // What is not described is for browsers, or is the description itself.
    let table = fs::read_to_string("src/http/routes.rs").expect("the table of routes");
    let beside: Vec<&str> = table.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let others = [
        "/",
        "/live",
        "/runs/{run_id}",
        "/runs/{run_id}/stop",
        "/find",
        "/zone",
        "/assets/{file}",
        "/favicon.ico",
        "/locations/{name}",
        "/registry",
        "/locations/{name}/{*rest}",
    ];
    assert_eq!(beside, others);
}

#[tokio::test]
async fn every_example_of_a_body_is_one_that_is_taken() {
    let (server, _database) = serve().await;
    let http = server.http();
    for _ in 0..7 {
        http.admit(json!({"factor": 0})).await;
    }
    http.send(Method::PUT, "/locations/here", &json!({"capacity": 2})).await;
    let document = document();
    let mut tried = 0;
    for (method, path, operation) in operations(&document) {
        let content = &operation["requestBody"]["content"]["application/json"];
        let named = content["examples"].as_object().into_iter().flat_map(|all| all.values()).map(|one| &one["value"]);
        let address = path.replace("{name}", "azure-k8s");
        for body in named.chain(content.get("example")) {
            let method = method.to_ascii_uppercase().parse().expect("a method");
            let reply = http.send(method, &address, body).await;
            // Nobody knows the secret that is not in an example, and the test may have ended by another example.
            let is_taken = reply.status.is_success() || [403, 409].contains(&reply.status.as_u16());
            assert!(is_taken, "{path} answers its example {body} with {}", reply.text);
            tried += 1;
        }
    }
    assert!(tried >= 10, "only {tried} examples");
}

#[test]
fn the_page_of_calls_names_every_call() {
    let page = fs::read_to_string("docs/reference/calls.md").expect("the page of calls");
    let calls: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    for (_, path, _) in operations(&document()) {
        let is_named = |line: &&str| line.split(['`', ' ', '?']).any(|word| word == path);
        assert!(calls.iter().any(is_named), "docs/reference/calls.md lacks {path}");
    }
}

#[tokio::test]
async fn every_call_is_described_and_the_page_needs_no_other_host() {
    let (server, _database) = serve().await;
    let http = server.http();
    let document = http.get("/openapi.json").await.json();
    let paths: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
    assert_eq!(
        paths,
        [
            "/board",
            "/cancel",
            "/complete",
            "/events",
            "/executions/{run_id}",
            "/executions/{run_id}/events",
            "/executions/{run_id}/neighbours",
            "/healthz",
            "/heartbeat",
            "/history",
            "/history-html",
            "/history-html-filter",
            "/locations",
            "/locations/{name}",
            "/locations/{name}/merge",
            "/metrics",
            "/plan",
            "/readyz",
            "/register",
            "/registry",
            "/status",
            "/status-html"
        ]
    );
    let page = http.get("/docs").await;
    assert_eq!(page.status, 200, "/docs leads to the page");
    assert!(page.text.contains("swagger-ui"));
    assert!(!page.text.contains("//"), "no link to another host in {}", page.text);
    let script = http.get("/docs/swagger-initializer.js").await.text;
    assert!(script.contains(r#""validatorUrl": "none""#), "{script}");
    assert!(script.contains(r#""../openapi.json""#), "the document is found below a path that a proxy adds: {script}");
    for asset in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"] {
        assert_eq!(http.get(&format!("/docs/{asset}")).await.status, 200, "{asset}");
    }
}
