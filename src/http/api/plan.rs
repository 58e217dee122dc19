//! `POST /plan`: what would come of a registration.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::register::{factor_too_large, read_plan};
use crate::http::error::ApiError;
use crate::http::remarks;
use crate::http::request::body::JsonObject;
use crate::present::{decimal, room};
use crate::registry::{Plan, Registry};
use crate::wire::plan::{PlanRequest, PlanResponse};

/// Says whether a test would start now.
///
/// If it would not, it says what keeps it from starting, and when it would start if it waited. It changes nothing.
#[utoipa::path(
    post, path = "/plan", operation_id = "plan_execution", tag = "executions",
    request_body(content = PlanRequest, example = json!({
        "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance",
        "environment": "prod", "triggered_by": "user1", "factor": 0.5, "location": "azure-k8s",
    })),
    responses((status = 200, description = "What would come of it.", body = PlanResponse)),
)]
pub async fn plan(
    State(registry): State<Arc<Registry>>,
    JsonObject(fields): JsonObject,
) -> Result<Json<PlanResponse>, ApiError> {
    let request = read_plan(fields)?;
    let remarks = remarks::on_registration(&registry, &request.details).await;
    let planned = match registry.plan(request).await? {
        Plan::Known(planned) => planned,
        Plan::FactorTooLarge { largest } => {
            return Err(factor_too_large(largest, &remarks));
        }
        Plan::UnknownLocation(new) => return Err(remarks::unknown_location(&new)),
    };
    Ok(Json(PlanResponse {
        message: room::plan_message(&planned),
        starts_now: planned.cause.is_none(),
        obstacle: planned.cause.map(room::obstacle),
        estimated_start: planned.room.estimated_start,
        largest_factor: planned.largest_factor.map(decimal),
        remarks,
        room: room::to_wire(&planned.room),
    }))
}
