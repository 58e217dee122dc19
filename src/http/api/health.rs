//! `GET /healthz` and `GET /readyz`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::http::error::ApiError;
use crate::registry::Registry;
use crate::wire::health::HealthResponse;
use crate::wire::problem::Problem;

/// Whether the process answers.
#[utoipa::path(
    get, path = "/healthz", operation_id = "check_health", tag = "health",
    responses((status = 200, body = HealthResponse)),
)]
pub async fn healthz() -> Json<HealthResponse> {
    ok()
}

/// Whether the database answers and can be written to.
#[utoipa::path(
    get, path = "/readyz", operation_id = "check_readiness", tag = "health",
    responses(
        (status = 200, body = HealthResponse),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn readyz(State(registry): State<Arc<Registry>>) -> Result<Json<HealthResponse>, ApiError> {
    registry.check_database().await?;
    Ok(ok())
}

fn ok() -> Json<HealthResponse> {
    Json(HealthResponse { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}
