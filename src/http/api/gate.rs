//! `GET /registry` and `PUT /registry`: the gate of the whole registry.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::http::error::ApiError;
use crate::http::remarks;
use crate::http::request::body::JsonObject;
use crate::http::request::setting::read_gate;
use crate::present::gate;
use crate::registry::Registry;
use crate::wire;
use crate::wire::gate::SetGateRequest;

/// Whether anything may start anywhere.
#[utoipa::path(
    get, path = "/registry", operation_id = "get_registry", tag = "locations",
    responses((status = 200, description = "Whether anything may start, and why not.", body = wire::gate::Gate)),
)]
pub async fn get_registry(State(registry): State<Arc<Registry>>) -> Result<Json<wire::gate::Gate>, ApiError> {
    Ok(Json(gate::to_wire(&registry.gate().await?)))
}

/// Opens or closes every location at once.
#[utoipa::path(
    put, path = "/registry", operation_id = "set_registry", tag = "locations",
    request_body(content = SetGateRequest, examples(
        ("stopped" = (summary = "Nothing starts, and tests with a lease are asked to stop", value = json!({
            "state": "stopped", "reason": "the database of prod is in trouble", "by": "ana",
        }))),
        ("open" = (summary = "Tests may start again", value = json!({"state": "open", "by": "ana"}))),
    )),
    responses((status = 200, description = "As it is from now on.", body = wire::gate::SetGateResponse)),
)]
pub async fn set_registry(
    State(registry): State<Arc<Registry>>,
    JsonObject(mut fields): JsonObject,
) -> Result<Json<wire::gate::SetGateResponse>, ApiError> {
    let by = fields.optional_text("by");
    let gate = read_gate(&mut fields, by, |fields| fields.optional_time("until"));
    if gate.is_none() {
        fields.reject("state", "is required");
    }
    fields.reject_rest();
    let gate = fields.finish(gate)?;
    let gate = registry.set_gate(gate).await?;
    let remarks = remarks::on_gate(&registry, None, gate.state).await;
    Ok(Json(wire::gate::SetGateResponse { gate: gate::to_wire(&gate), remarks }))
}
