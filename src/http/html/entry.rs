//! What stands in a form, who fills it in, and what came of it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use cookie::{Cookie, SameSite};

use super::layout::cookie_value;
use crate::http::error::ApiError;
use crate::http::request::form::Form;
use crate::wire::problem::FieldError;

/// The cookie with the name of who uses this browser.
const BY_COOKIE: &str = "by";
const KEPT: cookie::time::Duration = cookie::time::Duration::days(365);
/// The cookie with what came of a form. One answer tells it, and nobody else who is sent the address, or loads it again.
const OUTCOME_COOKIE: &str = "outcome";
const OUTCOME_KEPT: cookie::time::Duration = cookie::time::Duration::minutes(1);
/// The folders that pages are in, below the root.
const PAGE_FOLDERS: [&str; 2] = ["/runs/", "/locations/"];

/// What stands in the fields of a form, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Entry {
    values: Vec<(&'static str, String)>,
    errors: Vec<FieldError>,
}

impl Entry {
    /// As a form is shown at first.
    pub fn new(values: Vec<(&'static str, String)>) -> Self {
        Self { values, errors: Vec::new() }
    }

    /// What was typed, instead of what stood there.
    #[must_use]
    pub fn typed(self, form: &Form, errors: Vec<FieldError>) -> Self {
        let typed = |(name, _): (&'static str, String)| (name, form.value(name).unwrap_or_default().to_owned());
        Self { values: self.values.into_iter().map(typed).collect(), errors }
    }

    /// With another value in one field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.values.retain(|(field, _)| *field != name);
        self.values.push((name, value.to_owned()));
        self
    }

    /// What was typed, with what is wrong beside each field.
    ///
    /// # Errors
    /// If it cannot be shown so, since the form has no such field.
    pub fn mended(self, form: &Form, error: ApiError) -> Result<Self, ApiError> {
        let has = |error: &FieldError| self.values.iter().any(|(name, _)| *name == error.field);
        match error {
            ApiError::Invalid(errors) if errors.iter().all(has) => Ok(self.typed(form, errors)),
            ApiError::Invalid(errors) => Err(ApiError::WrongForm(errors)),
            another => Err(another),
        }
    }

    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }

    /// What is wrong with a field; it reads on after what the form calls it.
    pub fn wrong(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|error| error.field == name).map(|error| error.message.as_str())
    }

    pub fn is_wrong(&self) -> bool {
        !self.errors.is_empty()
    }
}

/// What came of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not sent, or has been told.
    None,
    Saved,
    /// It said what was so already.
    Unchanged,
    /// What it is about was changed by somebody else.
    ChangedMeanwhile,
    /// Somebody else had the run stopped before, and that stays noted.
    StoppedBefore,
}

impl Outcome {
    /// Those that the page tells to which a form leads, and the words that a cookie has for them.
    const LEFT: [(Self, &'static str); 3] =
        [(Self::Saved, "saved"), (Self::Unchanged, "unchanged"), (Self::StoppedBefore, "stopped-before")];
}

/// What the browser of a person keeps for the pages.
#[derive(Debug)]
pub struct Browser {
    /// Who uses it, as far as it was typed before; else empty.
    pub name: String,
    /// What came of the last form, until it is told.
    outcome: Option<String>,
    /// The registry's own root, as the browser sees it.
    root: String,
}

impl Browser {
    fn new(headers: &HeaderMap) -> Self {
        Self {
            name: cookie_value(headers, BY_COOKIE).unwrap_or_default(),
            outcome: cookie_value(headers, OUTCOME_COOKIE),
            root: root(headers),
        }
    }

    /// What came of the form before, if it was about the same.
    pub fn outcome(&self, about: &str) -> Outcome {
        let left = self.outcome.as_deref().and_then(|left| left.split_once(' ')).filter(|(_, of)| *of == about);
        let known = left.and_then(|(word, _)| Outcome::LEFT.into_iter().find(|(_, known)| *known == word));
        known.map_or(Outcome::None, |(outcome, _)| outcome)
    }

    /// The answer, after which no other tells the same outcome.
    pub fn told(&self, mut answer: Response) -> Response {
        if self.outcome.is_some() {
            let cookie = self.cookie(OUTCOME_COOKIE, "", cookie::time::Duration::ZERO);
            answer.headers_mut().extend(HeaderValue::from_str(&cookie).ok().map(|cookie| (header::SET_COOKIE, cookie)));
        }
        answer
    }

    /// Leads from what was posted to the page at the same address, which tells what came of it, and remembers who did it.
    /// A fragment alone keeps the path as the browser has it, which a proxy may have decoded.
    pub fn lead_on(&self, by: &str, outcome: Outcome, about: &str) -> Response {
        let by = self.cookie(BY_COOKIE, by, KEPT);
        let left = Outcome::LEFT.into_iter().find(|(known, _)| *known == outcome);
        let left = left.map(|(_, word)| self.cookie(OUTCOME_COOKIE, &format!("{word} {about}"), OUTCOME_KEPT));
        let cookies = std::iter::once(by).chain(left).map(|cookie| (header::SET_COOKIE, cookie));
        (AppendHeaders(cookies.collect::<Vec<_>>()), Redirect::to("#outcome")).into_response()
    }

    fn cookie(&self, name: &str, value: &str, kept: cookie::time::Duration) -> String {
        let cookie = Cookie::build((name, value)).path(&self.root).http_only(true).same_site(SameSite::Strict);
        cookie.max_age(kept).build().encoded().to_string()
    }
}

impl<S: Sync> FromRequestParts<S> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(&parts.headers))
    }
}

/// The path up to the page that led here, which is one of the registry's; `/` if that is not known.
fn root(headers: &HeaderMap) -> String {
    let referer: Option<Uri> = headers.get(header::REFERER).and_then(|value| value.to_str().ok()?.parse().ok());
    let path = referer.as_ref().map_or("/", Uri::path);
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    let above = PAGE_FOLDERS.iter().filter_map(|page| folder.find(page)).min();
    let root = above.map_or(folder, |end| &folder[..end]).trim_end_matches('/');
    // A semicolon would end the attribute.
    if root.is_empty() || root.contains(';') { "/".to_owned() } else { root.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(headers: &[(header::HeaderName, &str)]) -> Browser {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header's value")));
        Browser::new(&headers.collect())
    }

    #[test]
    fn what_a_browser_keeps_is_kept_for_the_registry_alone() {
        for (referer, root) in [
            ("https://ci.example/perfreg/", "/perfreg"),
            ("https://ci.example/perfreg/runs/7/stop", "/perfreg"),
            ("https://ci.example/perfreg/runs/7?a=/b/c", "/perfreg"),
            ("https://ci.example/perfreg/locations/a%2Fb", "/perfreg"),
            ("https://ci.example/perfreg/locations/a/runs/b", "/perfreg"),
            ("https://ci.example/perfreg/registry", "/perfreg"),
            ("https://ci.example/a/b/history-html?test=x", "/a/b"),
            ("https://ci.example/truns/", "/truns"),
            ("http://127.0.0.1:8000/locations/a", "/"),
            ("http://127.0.0.1:8000/registry", "/"),
            ("http://127.0.0.1:8000", "/"),
            ("https://ci.example/a;Domain=example/registry", "/"),
            ("about:blank", "/"),
            ("ci.example:80", "/"),
        ] {
            assert_eq!(browser(&[(header::REFERER, referer)]).root, root, "{referer}");
        }
        assert_eq!(browser(&[]).root, "/");
    }

    #[test]
    fn an_outcome_is_told_of_what_it_is_about_and_of_nothing_else() {
        let saved = browser(&[(header::COOKIE, "by=ana; outcome=saved%20location%20a%20b")]);
        assert_eq!((saved.name.as_str(), saved.outcome("location a b")), ("ana", Outcome::Saved));
        assert_eq!(saved.outcome("location a"), Outcome::None);
        for cookie in ["outcome=saved", "outcome=made-up%20registry", "outcome=%ff", "outcome="] {
            assert_eq!(browser(&[(header::COOKIE, cookie)]).outcome("registry"), Outcome::None, "{cookie}");
        }
    }
}
