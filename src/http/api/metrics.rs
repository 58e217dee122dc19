//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;

use crate::http::error::ApiError;
use crate::metrics::Format;
use crate::registry::Registry;

/// What this server can be watched by, as Prometheus reads it.
///
/// Text format 0.0.4, or OpenMetrics where `Accept` prefers it.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "health",
    responses((status = 200, description = "All metrics; docs/operate/watch.md says what each means.", content(
        (String = "text/plain"),
        (String = "application/openmetrics-text"),
    ))),
)]
pub async fn metrics(State(registry): State<Arc<Registry>>, headers: HeaderMap) -> Result<impl IntoResponse, ApiError> {
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::asked_for(&ranges.collect::<Vec<_>>().join(","));
    let text = registry.metrics_text(format).await?;
    let content_type = HeaderValue::from_static(format.content_type());
    Ok(([(header::CONTENT_TYPE, content_type), (header::VARY, HeaderValue::from_static("accept"))], text))
}
