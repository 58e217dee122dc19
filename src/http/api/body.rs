//! Reads a JSON object from a request, or says in a sentence why there is none.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;

use super::fields::Fields;
use crate::http::error::ApiError;

/// A client that sends its body more slowly than this is not waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

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

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::NotJson);
        }
        let sent = read(request, state).await?;
        Ok(Self(Fields::parse(&sent)?, sent))
    }
}

/// As [`JsonObject`], for calls whose parameters may stand in the query instead.
pub struct OptionalJsonObject(pub Option<Fields>);

impl<S: Send + Sync> FromRequest<S> for OptionalJsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let body = read(request, state).await?;
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
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state));
    body.await.map_err(|_| ApiError::Timeout)?.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge,
        _ => ApiError::invalid("body", "did not arrive whole"),
    })
}
