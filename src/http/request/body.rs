//! Reads a JSON object from a request, or says in a sentence why there is none.

use std::error::Error;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use http_body_util::LengthLimitError;

use super::fields::Fields;
use crate::http::error::ApiError;

/// A client that sends its body more slowly than this is not waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
const LARGEST_BODY_BYTES: usize = 64 * 1024;

pub struct JsonObject(pub Fields);

impl<S: Send + Sync> FromRequest<S> for JsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        SentJsonObject::from_request(request, state).await.map(|SentJsonObject(fields, _)| Self(fields))
    }
}

/// As [`JsonObject`], for calls that have to know the very bytes.
pub struct SentJsonObject(pub Fields, pub Bytes);

impl<S: Send + Sync> FromRequest<S> for SentJsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        check_expectation(request.headers())?;
        check_head(request.headers())?;
        let sent = read(request).await?;
        Ok(Self(parse(&sent)?, sent))
    }
}

/// As [`JsonObject`], for calls whose parameters may stand in the query instead.
pub struct OptionalJsonObject(pub Option<Fields>);

impl<S: Send + Sync> FromRequest<S> for OptionalJsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        check_expectation(request.headers())?;
        let checked = check_head(request.headers());
        let body = read(request).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        checked?;
        // What generated clients in Go send where there is no body.
        if body.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        Ok(Self(Some(parse(&body)?)))
    }
}

/// A client that expects something else would wait for it in vain.
pub(super) fn check_expectation(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_met = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(header::EXPECT).iter().all(is_met) { Ok(()) } else { Err(ApiError::ExpectationFailed) }
}

fn check_head(headers: &HeaderMap) -> Result<(), ApiError> {
    check_content(headers, is_json, || ApiError::NotJson)
}

/// What the body is, as far as its headers say it: of one of these media types, else it is `another`.
pub(super) fn check_content(
    headers: &HeaderMap,
    is_wanted: impl FnOnce(&str) -> bool,
    another: impl FnOnce() -> ApiError,
) -> Result<(), ApiError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';');
    if !parts.next().is_some_and(is_wanted) {
        return Err(another());
    }
    if !parts.filter_map(|parameter| parameter.split_once('=')).all(is_utf8) {
        return Err(ApiError::NotUtf8);
    }
    let is_plain = |coding: &HeaderValue| {
        let coding = coding.as_bytes().trim_ascii();
        coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
    };
    if headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) { Ok(()) } else { Err(ApiError::Encoded) }
}

fn is_json(media_type: &str) -> bool {
    let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
    let (kind, subtype) = (kind.trim_start(), subtype.trim_end());
    let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

/// Whether the parameter is another than `charset`, or names UTF-8 or the part of it that ASCII is.
fn is_utf8((name, value): (&str, &str)) -> bool {
    let value = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset")
        || ["utf-8", "utf8", "us-ascii"].iter().any(|charset| value.eq_ignore_ascii_case(charset))
}

/// A byte order mark before the JSON says nothing; that of UTF-16 or UTF-32, or a NUL in the first character, says what
/// it is instead.
fn parse(body: &[u8]) -> Result<Fields, ApiError> {
    match body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body) {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, _, ..] | [_, 0, ..] => Err(ApiError::NotUtf8),
        text => Fields::parse(text),
    }
}

pub(super) async fn read(request: Request) -> Result<Bytes, ApiError> {
    let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(request.into_body(), LARGEST_BODY_BYTES));
    body.await.map_err(|_| ApiError::Timeout)?.map_err(|error| {
        let is_too_large = error.source().is_some_and(<dyn Error>::is::<LengthLimitError>);
        if is_too_large { ApiError::BodyTooLarge } else { ApiError::invalid("body", "did not arrive whole") }
    })
}
