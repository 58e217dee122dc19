//! Keeps the pages of other sites from changing anything through the browser of somebody who may.

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use axum::response::IntoResponse;
use tower_http::csrf::{Csrf, CsrfLayer, ProtectionError};
use tower_layer::Layer;

use super::error::ApiError;
use crate::config::server::PublicUrl;

/// Routes that refuse what another site's page sends.
pub type Guarded = Csrf<Router, fn(ProtectionError) -> Response<Body>>;

/// Only browsers say where a request comes from, so that other clients see nothing of it. The pages at the public URL
/// are the server's own, also behind a proxy that asks it by another name.
pub fn guard(router: Router, public_url: Option<&PublicUrl>) -> Guarded {
    let layer = CsrfLayer::new();
    // An origin that no browser could send is none to trust.
    let trusting = public_url.and_then(|url| layer.clone().add_trusted_origin(url.origin()).ok());
    let refuse: fn(ProtectionError) -> Response<Body> = |_| ApiError::CrossSite.into_response();
    trusting.unwrap_or(layer).with_rejection_response(refuse).layer(router)
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Request, StatusCode};
    use axum::routing::any;
    use tower::ServiceExt;

    use super::*;

    async fn status(public_url: Option<&str>, method: Method, headers: &[(&str, &str)]) -> StatusCode {
        let public_url = public_url.map(|url| url.parse().expect("a URL"));
        let guarded = guard(Router::new().fallback(any(async || "done")), public_url.as_ref());
        let mut request = Request::builder().method(method).uri("/cancel?run_id=7").header("host", "perf.example:8000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        guarded.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer").status()
    }

    #[tokio::test]
    async fn what_another_sites_page_sends_is_refused_and_nothing_else() {
        for (headers, passes) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://perf.example:8000")], false),
            (&[("sec-fetch-site", "Same-Origin")], false),
            (&[("sec-fetch-site", "unheard-of")], false),
            (&[("origin", "http://perf.example:8000")], true),
            (&[("origin", "https://perf.example:8000")], true),
            (&[("origin", "http://perf.example")], false),
            (&[("origin", "http://perf.example:8001")], false),
            (&[("origin", "http://foreign.example:8000")], false),
            (&[("origin", "http://perf.example:8000.foreign.example")], false),
            (&[("origin", "http://perf.example:8000@foreign.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "file://")], false),
            (&[("origin", "chrome-extension://perf.example:8000")], false),
            (&[("origin", "perf.example:8000")], false),
        ] {
            let expected = if passes { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(status(None, Method::POST, headers).await, expected, "{headers:?}");
        }
    }

    #[tokio::test]
    async fn every_method_that_may_change_something_is_looked_at() {
        let foreign = [("sec-fetch-site", "cross-site"), ("origin", "http://foreign.example")];
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "MERGE"] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            assert_eq!(status(None, method.clone(), &foreign).await, StatusCode::FORBIDDEN, "{method}");
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert_eq!(status(None, method.clone(), &foreign).await, StatusCode::OK, "{method}");
        }
    }

    #[tokio::test]
    async fn the_pages_at_the_public_url_are_the_servers_own() {
        for (public_url, origin, passes) in [
            ("https://ci.example.com/perfreg", "https://ci.example.com", true),
            ("https://CI.example.com:443", "https://ci.example.com", true),
            ("https://ci.example.com:8443", "https://ci.example.com:8443", true),
            ("http://bücher.example", "http://xn--bcher-kva.example", true),
            ("http://[::1]:8000/perfreg/", "http://[::1]:8000", true),
            ("https://ci.example.com", "http://ci.example.com", false),
            ("https://ci.example.com", "https://ci.example.com:8443", false),
            ("https://ci.example.com", "https://www.ci.example.com", false),
            ("https://ci.example.com", "null", false),
        ] {
            let expected = if passes { StatusCode::OK } else { StatusCode::FORBIDDEN };
            let answered = status(Some(public_url), Method::POST, &[("origin", origin)]).await;
            assert_eq!(answered, expected, "{origin} at {public_url}");
        }
    }
}
