//! What stands in a form, who fills it in, and where it leads.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use cookie::{Cookie, SameSite};

use super::layout::cookie_value;
use crate::http::request::form::Form;
use crate::wire::problem::FieldError;

/// The cookie with the name of who uses this browser.
const BY_COOKIE: &str = "by";
const KEPT: cookie::time::Duration = cookie::time::Duration::days(365);

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

    /// Whether each error is of a field that the form has, so that it can be shown beside it.
    pub fn can_show(&self, errors: &[FieldError]) -> bool {
        errors.iter().all(|error| self.values.iter().any(|(name, _)| *name == error.field))
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

/// Who uses this browser, as far as it was typed before.
pub fn remembered_name(headers: &HeaderMap) -> String {
    cookie_value(headers, BY_COOKIE).unwrap_or_default()
}

/// Leads from what was posted to the page that says what came of it, and remembers who did it.
pub fn lead_on(to: &str, by: &str) -> Response {
    let cookie =
        Cookie::build((BY_COOKIE, by)).path("/").http_only(true).same_site(SameSite::Strict).max_age(KEPT).build();
    ([(header::SET_COOKIE, cookie.encoded().to_string())], Redirect::to(to)).into_response()
}
