//! How a page is sent.

use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

use crate::http::error::ApiError;
use crate::http::protection::PAGE_POLICY;
use crate::registry::RegistryError;

pub fn render(page: &impl Template) -> Response {
    match draw(page) {
        Ok(html) => send(Html(html)),
        Err(error) => error.into_response(),
    }
}

/// The page alone, to be sent later.
///
/// # Errors
/// If it could not be rendered, which is a defect.
pub fn draw(page: &impl Template) -> Result<String, ApiError> {
    page.render().map_err(|error| RegistryError::Broken(format!("a page could not be rendered: {error}")).into())
}

/// An answer with a page, with the headers that every page has.
pub fn send(page: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        // The way back shows the page as it was; everything else asks again.
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (header::VARY, HeaderValue::from_static("cookie, accept")),
    ];
    (headers, page).into_response()
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
