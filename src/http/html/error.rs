//! Errors as a page, for those who look with a browser: the same words that the API answers with.

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;

use super::layout::Layout;
use super::page::{filters, render};
use crate::http::error::say_when_to_retry;
use crate::wire::problem::Problem;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    layout: Layout,
    title: String,
    detail: String,
}

/// For somebody whose browser calls the server by a name that it refuses: every link would lead to this page again.
#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    layout: Layout,
    title: String,
    detail: String,
}

/// Somebody with a browser, who is shown a page where a program is told a problem.
pub struct Reader(Layout);

impl Reader {
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        wants_page(request.headers()).then(|| Self(Layout::new(request.uri(), request.headers())))
    }

    /// The answer as this reader can read it.
    pub fn show(self, response: Response<Body>) -> Response<Body> {
        let Some(Problem { title, detail, .. }) = response.extensions().get().cloned() else { return response };
        let page = if response.status() == StatusCode::MISDIRECTED_REQUEST {
            render(&RefusedPage { layout: self.0, title, detail })
        } else {
            render(&ErrorPage { layout: self.0, title, detail })
        };
        let mut shown = (response.status(), page).into_response();
        if let Some(allowed) = response.headers().get(header::ALLOW) {
            shown.headers_mut().insert(header::ALLOW, allowed.clone());
        }
        say_when_to_retry(&mut shown);
        shown
    }
}

/// Whether it is a browser that asks for a page. Others name `text/html` among much else, such as Java's own client.
pub fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    accepted == "text/html" || (accepted.contains("text/html") && accepted.contains("application/xhtml+xml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_browsers_are_shown_a_page() {
        for (accepted, is_page) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", true),
            ("text/html", true),
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", false),
            ("application/json, text/html", false),
            ("*/*", false),
            ("application/problem+json", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accepted));
            assert_eq!(wants_page(&headers), is_page, "{accepted}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }
}
