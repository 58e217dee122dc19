//! What every answer tells browsers.

use reqwest::Method;
use serde_json::json;

use super::pages::serve;
use crate::support::http::Reply;

const DATA: &str = "default-src 'none'; frame-ancestors 'none'";

fn assert_protected(reply: &Reply, what: &str) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(reply.header(name), value, "{what}");
    }
    let policies: Vec<_> = reply.headers.get_all("content-security-policy").iter().collect();
    assert_eq!(policies.len(), 1, "{what}");
    let policy = reply.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
        "{what}: {policy}"
    );
    let is_page = reply.header("content-type").starts_with("text/html");
    assert_eq!(reply.header("cross-origin-opener-policy"), "", "{what}: browsers complain of it without HTTPS");
    assert_eq!(policy == DATA, !is_page && !what.contains("/docs/"), "{what}: {policy}");
    assert!(!reply.header("cache-control").is_empty(), "{what}");
}

#[tokio::test]
async fn every_answer_tells_browsers_to_keep_it_from_other_sites() {
    let (server, _database) = serve().await;
    let http = server.http();
    http.admit(json!({})).await;
    for path in [
        "/status",
        "/history?limit=10",
        "/executions/1",
        "/executions/7",
        "/events?limit=1",
        "/locations",
        "/registry",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/no-such-path",
        "/history?limit=x",
        "/locations/a%00",
    ] {
        let reply = http.get(path).await;
        assert_protected(&reply, path);
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
    }
    for path in ["/", "/status-html", "/history-html", "/history-html?limit=x", "/no-such-path", "/docs/"] {
        let reply = http.page(path).await;
        assert!(reply.header("content-type").starts_with("text/html"), "{path}");
        assert_protected(&reply, path);
    }
    for path in ["/docs/swagger-ui.css", "/docs/swagger-initializer.js", "/assets/style.css"] {
        let reply = http.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_protected(&reply, path);
        assert_ne!(reply.header("cache-control"), "no-store", "{path}");
    }
    for (method, path, body) in [
        (Method::POST, "/register", "{}"),
        (Method::POST, "/register", "no JSON"),
        (Method::DELETE, "/status", ""),
        (Method::OPTIONS, "/register", ""),
        (Method::HEAD, "/status-html", ""),
        (Method::POST, "/cancel?run_id=1", ""),
    ] {
        let reply = http.try_send(method.clone(), path, "application/json", body).await.expect("an answer");
        assert_protected(&reply, &format!("{method} {path}: {}", reply.status));
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    let refused = http.try_send_with(Method::POST, "/cancel?run_id=1", &foreign, "").await.expect("an answer");
    assert_protected(&refused, "a refusal");
}

#[tokio::test]
async fn the_reference_is_laid_out_for_phones() {
    let (server, _database) = serve().await;
    let page = server.http().get("/docs/").await.text;
    let (head, _) = page.split_once("</head>").expect("a head");
    assert!(head.contains(r#"<meta name="viewport" content="width=device-width"#), "{page}");
}
