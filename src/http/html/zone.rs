//! `/zone`: in which time zone the pages tell times.

use askama::Template;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use cookie::{Cookie, SameSite};

use super::layout::{Layout, ZONE_COOKIE};
use super::page::render;
use crate::http::error::ApiError;
use crate::http::request::form::Form;
use crate::present::zone::Zone;

/// Browsers keep no cookie for longer.
const KEPT: cookie::time::Duration = cookie::time::Duration::days(400);

#[derive(Template)]
#[template(path = "zone.html")]
struct ZonePage {
    layout: Layout,
    names: Vec<String>,
    /// The page to go back to.
    back: Option<String>,
}

pub async fn zone(layout: Layout, headers: HeaderMap) -> Response {
    render(&ZonePage { layout, names: Zone::names(), back: page_before(&headers) })
}

/// Keeps the choice in a cookie, for all pages; none if it is left to the browser.
pub async fn choose_zone(form: Form) -> Result<Response, ApiError> {
    let mut fields = form.fields()?;
    let chosen = fields.string("zone").map(|name| {
        let wrong = || format!("{name} is no time zone; write one such as Europe/Lisbon");
        Zone::named(&name).ok_or_else(wrong)
    });
    let chosen = chosen.and_then(|zone| fields.take_result("zone", zone));
    let back = fields.string("back");
    fields.reject_rest();
    let chosen = fields.finish(Some(chosen))?;
    let mut cookie = Cookie::build((ZONE_COOKIE, chosen.as_ref().map_or("", Zone::name)))
        .same_site(SameSite::Lax)
        .max_age(KEPT)
        .build();
    if chosen.is_none() {
        cookie.set_max_age(cookie::time::Duration::ZERO);
    }
    let back = back.filter(|back| is_path(back)).unwrap_or_else(|| "./".to_owned());
    Ok(([(header::SET_COOKIE, cookie.encoded().to_string())], Redirect::to(&back)).into_response())
}

/// The path and query of the page that led here.
fn page_before(headers: &HeaderMap) -> Option<String> {
    let referer: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    referer.path_and_query().map(ToString::to_string).filter(|back| is_path(back))
}

/// Whether it stays on this server.
fn is_path(back: &str) -> bool {
    back.starts_with('/') && !back.starts_with("//") && !back.contains('\\') && !back.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_server() {
        for (back, is_ours) in [
            ("/", true),
            ("/perfreg/runs/7?a=b", true),
            ("//evil.example/", false),
            ("/\\evil.example", false),
            ("https://evil.example/", false),
            ("evil", false),
            ("/\t/evil.example", false),
        ] {
            assert_eq!(is_path(back), is_ours, "{back}");
        }
    }
}
