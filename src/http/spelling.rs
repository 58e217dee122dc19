//! Paths as people write them: with a slash behind, or with two between.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use tower_service::Service;

use super::error::unknown_path;

/// Answers what the router has no route for as if the path had no slashes too many.
pub async fn answer(mut router: Router, mut request: Request) -> Response {
    let uri = request.uri();
    let Some(usual) = usual_spelling(uri) else { return unknown_path(request).await.into_response() };
    let page = page_without_slash(uri);
    *request.uri_mut() = usual;
    let Ok(response) = router.call(request).await;
    match page {
        Some(page) if has_relative_links(&response) => Redirect::temporary(&page).into_response(),
        _ => response,
    }
}

/// The URI without empty segments in its path, if there are any.
fn usual_spelling(uri: &Uri) -> Option<Uri> {
    let path = usual_path(uri.path());
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let usual = format!("{path}{query}").parse().ok()?;
    (path != uri.path()).then_some(usual)
}

/// The path without empty segments.
pub fn usual_path(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let path: String = segments.flat_map(|segment| ["/", segment]).collect();
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The relative way to the same path without the slashes behind it, if there are any.
fn page_without_slash(uri: &Uri) -> Option<String> {
    let path = uri.path().trim_end_matches('/');
    let slashes = uri.path().len() - path.len();
    let (_, page) = path.rsplit_once('/')?;
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    (slashes > 0).then(|| format!("{}{page}{query}", "../".repeat(slashes)))
}

/// Whether the answer leads on from the path that it was asked for.
fn has_relative_links(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    response.status().is_redirection() || content_type.is_some_and(|value| value.starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_too_many_are_left_out_and_nothing_else() {
        for (uri, usual) in [
            ("/status/", Some("/status")),
            ("//status", Some("/status")),
            ("//executions//7///?wait_seconds=1", Some("/executions/7?wait_seconds=1")),
            ("/locations/a%2F/", Some("/locations/a%2F")),
            ("//", Some("/")),
            ("/status", None),
            ("/", None),
        ] {
            let found = usual_spelling(&uri.parse().expect("a URI")).map(|usual| usual.to_string());
            assert_eq!(found.as_deref(), usual, "{uri}");
        }
    }

    #[test]
    fn the_way_to_a_page_holds_below_any_path() {
        for (uri, way) in [
            ("/status-html/", Some("../status-html")),
            ("/runs/7//?a=b", Some("../../7?a=b")),
            ("//evil.example/", Some("../evil.example")),
            ("/status-html", None),
            ("//", None),
        ] {
            assert_eq!(page_without_slash(&uri.parse().expect("a URI")).as_deref(), way, "{uri}");
        }
    }
}
