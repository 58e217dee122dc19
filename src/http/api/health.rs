//! `GET /healthz` and `GET /readyz`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::http::error::ApiError;
use crate::registry::Registry;
use crate::wire::health::{AuditState, HealthResponse, ReadinessResponse};

/// Whether the process answers.
#[utoipa::path(
    get, path = "/healthz", operation_id = "check_health", tag = "health",
    responses((status = 200, description = "It does.", body = HealthResponse)),
)]
pub async fn healthz() -> Json<HealthResponse> {
    ok()
}

/// Whether the database answers and can be written to.
///
/// What the auditor found is said beside, and stops no traffic: the location's row goes on to bound what starts, and
/// another server would see the same.
#[utoipa::path(
    get, path = "/readyz", operation_id = "check_readiness", tag = "health",
    responses(
        (status = 200, description = "It does, and can.", body = ReadinessResponse),
    ),
)]
pub async fn readyz(State(registry): State<Arc<Registry>>) -> Result<Json<ReadinessResponse>, ApiError> {
    registry.check_database().await?;
    let audit = match registry.audits().last {
        None => AuditState::Pending,
        Some(last) if last.differences.is_empty() => AuditState::Agrees,
        Some(_) => AuditState::Differs,
    };
    let Json(HealthResponse { status, version }) = ok();
    Ok(Json(ReadinessResponse { status, version, audit }))
}

fn ok() -> Json<HealthResponse> {
    Json(HealthResponse { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}
