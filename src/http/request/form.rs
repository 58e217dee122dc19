//! Reads what a form of the pages sends.

use axum::extract::{FromRequest, Request};
use percent_encoding::percent_decode;
use url::form_urlencoded;

use super::body::{check_content, check_expectation, read};
use super::fields::Fields;
use crate::http::error::ApiError;

/// What was typed into each field, in the order of the form.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        // The parser below would put marks for what is no UTF-8, and nobody has typed those.
        percent_decode(body).decode_utf8().map_err(|_| ApiError::FormNotUtf8)?;
        Ok(Self(form_urlencoded::parse(body).into_owned().collect()))
    }

    /// # Errors
    /// If a field is given twice.
    pub fn fields(&self) -> Result<Fields, ApiError> {
        Fields::of_form(&self.0)
    }

    /// What was typed into a field.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        check_expectation(request.headers())?;
        check_content(request.headers(), is_form, || ApiError::NotForm).map_err(|error| match error {
            ApiError::NotUtf8 => ApiError::FormNotUtf8,
            another => another,
        })?;
        Self::parse(&read(request).await?)
    }
}

fn is_form(media_type: &str) -> bool {
    media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_typed_and_only_in_utf_8() {
        let form = Form::parse("reason=wrong+build+%2B+%C3%A9%F0%9F%94%A5&by=&note".as_bytes()).expect("a form");
        assert_eq!(
            (form.value("reason"), form.value("by"), form.value("else")),
            (Some("wrong build + é🔥"), Some(""), None)
        );
        assert!(form.fields().is_ok_and(|fields| fields.has("reason") && !fields.has("by")));
        assert_eq!(Form::parse(b"a=%EF%BF%BD").expect("a form").value("a"), Some("\u{fffd}"), "it may be typed");
        for body in [&b"a=%ff"[..], b"a=\xff", b"%C3=b", b"a=%C3&b=%A9"] {
            assert!(matches!(Form::parse(body), Err(ApiError::FormNotUtf8)), "{body:?}");
        }
        assert!(Form::parse(b"by=ana&by=bob").is_ok_and(|form| form.fields().is_err()));
    }
}
