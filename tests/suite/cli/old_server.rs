//! The client with a server of an earlier version.

use std::future::ready;

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::run;

fn problem(status: StatusCode, detail: &str, errors: &Value) -> impl IntoResponse + use<> {
    let body = json!({"type": "urn:perfreg:problem:any", "title": "No", "status": status.as_u16(), "detail": detail,
                      "message": detail, "errors": errors});
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string())
}

/// What a server answered that had no board yet, below the path.
async fn serve(path: &str) -> String {
    let unknown = |uri: Uri| {
        let detail = format!("There is nothing at {}; /docs lists every path.", uri.path());
        ready(problem(StatusCode::NOT_FOUND, &detail, &json!([])))
    };
    let event = |kind: &str, run_id: Option<i64>| {
        json!({"id": "0-1", "at": "2026-11-22T14:03:00Z", "kind": kind, "run_id": run_id, "location": "azure-k8s",
               "by": null, "details": {"capacity": 1}})
    };
    let events = json!({"events": [event("location_set", None), event("started", Some(7))], "next": null}).to_string();
    let none = json!({"events": [], "next": null}).to_string();
    let names = json!([{"field": "repo", "message": "is required"}, {"field": "test", "message": "is required"}]);
    let routes = Router::new()
        .route("/healthz", get(|| ready("{}")))
        .route(
            "/events",
            get(move |uri: Uri| {
                ready(if uri.query().is_some_and(|query| query.contains("nowhere")) {
                    none.clone()
                } else {
                    events.clone()
                })
            }),
        )
        .route("/plan", post(move || ready(problem(StatusCode::UNPROCESSABLE_ENTITY, "repo is required.", &names))))
        .fallback(unknown);
    let routes = if path.is_empty() { routes } else { Router::new().nest(path, routes).fallback(unknown) };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}{path}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_server_lacks_is_told_with_what_to_do() {
    let version = env!("CARGO_PKG_VERSION");
    let no_board = format!("perfreg: this server is older than perfreg {version} and has no board; upgrade it\n");
    for path in ["", "/perfreg"] {
        let url = serve(path).await;
        for arguments in [&["status"][..], &["status", "--location", "here"], &["watch"]] {
            let (code, printed, said) = run(&[arguments, &["--url", &url]].concat());
            assert_eq!((code, printed.as_str(), said.as_str()), (1, "", no_board.as_str()), "{arguments:?} at {url}");
        }
    }
    let url = serve("").await;
    let (code, _, said) = run(&["plan", "--location", "here", "--factor", "0.5", "--url", &url]);
    let names = "plans only tests with all their names";
    assert_eq!(
        (code, said),
        (1, format!("perfreg: this server is older than perfreg {version} and {names}; upgrade it\n"))
    );
    let all = ["--repo", "r", "--stream", "s", "--test", "t", "--triggered-by", "ana"];
    let (_, _, said) = run(&[&["plan", "--url", &url], &all[..]].concat());
    assert_eq!(said, "perfreg: repo is required.\n", "that is no matter of the version");
    let (_, document, _) = run(&["status", "--json", "--url", &url]);
    assert!(document.contains("urn:perfreg:client:old-server"), "{document}");
    let (code, _, said) = run(&["status", "--url", &format!("{url}/elsewhere")]);
    assert!(code == 78 && said.contains("may not be its URL"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_an_older_server_are_told_by_their_kind() {
    let url = serve("").await;
    let (code, printed, said) = run(&["events", "--url", &url]);
    let expected = "2026-11-22 14:03:00Z  started: run 7 (azure-k8s)\n2026-11-22 14:03:00Z  location_set (azure-k8s)\n";
    assert_eq!((code, printed.as_str(), said.as_str()), (0, expected, ""));
    let (code, printed, said) = run(&["events", "--location", "nowhere", "--url", &url]);
    assert_eq!((code, printed.as_str(), said.as_str()), (0, "Nothing happened.\n", ""));
}
