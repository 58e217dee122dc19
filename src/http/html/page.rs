//! How a page is sent.

use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

use crate::http::protection::PAGE_POLICY;

pub fn render(page: &impl Template) -> Response {
    send(page.render())
}

/// Sends what was rendered.
pub fn send(page: askama::Result<String>) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        // The way back shows the page as it was; everything else asks again.
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (header::VARY, HeaderValue::from_static("cookie, accept")),
    ];
    match page {
        Ok(html) => (headers, Html(html)).into_response(),
        Err(error) => {
            tracing::error!("a page could not be rendered: {error}");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What the templates can do with a value.
#[expect(clippy::unused_self, clippy::unnecessary_wraps, clippy::inline_always, reason = "askama asks for this shape")]
pub mod filters {
    use crate::present::text;

    /// A text that others chose, with marks for what would deceive the eye.
    #[askama::filter_fn]
    pub fn visible(value: impl std::fmt::Display, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(text::visible(&value.to_string()).into_owned())
    }
}
