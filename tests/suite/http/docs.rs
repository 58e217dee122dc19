//! The API's description.

use super::pages::serve;

#[test]
fn the_openapi_document_is_as_reviewed() {
    let document = serde_json::to_value(perfreg::http::openapi()).expect("JSON");
    insta::assert_json_snapshot!(document);
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
