//! Reads a JSON object from a request, or says in a sentence why there is none.

use std::error::Error;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
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
        if !is_json(request.headers()) {
            return Err(ApiError::NotJson);
        }
        let sent = read(request).await?;
        Ok(Self(Fields::parse(&sent)?, sent))
    }
}

/// As [`JsonObject`], for calls whose parameters may stand in the query instead.
pub struct OptionalJsonObject(pub Option<Fields>);

impl<S: Send + Sync> FromRequest<S> for OptionalJsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let body = read(request).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        if !is_json {
            return Err(ApiError::NotJson);
        }
        Ok(Self(Some(Fields::parse(&body)?)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, subtype) = content_type.split(';').next().and_then(|media| media.split_once('/')).unwrap_or_default();
    let (kind, subtype) = (kind.trim_start(), subtype.trim_end());
    let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

async fn read(request: Request) -> Result<Bytes, ApiError> {
    let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(request.into_body(), LARGEST_BODY_BYTES));
    body.await.map_err(|_| ApiError::Timeout)?.map_err(|error| {
        let is_too_large = error.source().is_some_and(<dyn Error>::is::<LengthLimitError>);
        if is_too_large { ApiError::BodyTooLarge } else { ApiError::invalid("body", "did not arrive whole") }
    })
}
