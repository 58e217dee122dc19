//! `POST /plan`: what would come of a registration.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::body::JsonObject;
use super::register::{explain_cause, factor_too_large, read_request, room_to_wire};
use super::remarks;
use crate::domain::answer::{Cause, Planned, Refusal};
use crate::http::error::ApiError;
use crate::registry::{Plan, Registry};
use crate::wire::decimal::Decimal;
use crate::wire::plan::{Obstacle, PlanResponse};
use crate::wire::problem::Problem;
use crate::wire::register::RegisterRequest;

/// Says whether a test would start now, what keeps it from it, and when it would. Changes nothing.
#[utoipa::path(
    post, path = "/plan", operation_id = "plan_execution", tag = "executions",
    request_body = RegisterRequest,
    responses(
        (status = 200, body = PlanResponse),
        (status = 422, description = "What is wrong with which field.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn plan(
    State(registry): State<Arc<Registry>>,
    JsonObject(fields): JsonObject,
) -> Result<Json<PlanResponse>, ApiError> {
    let request = read_request(fields)?;
    let remarks = remarks::on_registration(&registry, &request.details).await;
    let planned = match registry.plan(request).await? {
        Plan::Known(planned) => planned,
        Plan::FactorTooLarge { largest } => {
            return Err(factor_too_large(largest, &remarks));
        }
        Plan::UnknownLocation(new) => return Err(remarks::unknown_location(&new)),
    };
    Ok(Json(PlanResponse {
        message: message(&planned),
        starts_now: planned.cause.is_none(),
        obstacle: planned.cause.map(obstacle),
        estimated_start: planned.room.estimated_start,
        largest_factor: planned.largest_factor.map(|factor| Decimal::new(factor.to_string())),
        remarks,
        room: room_to_wire(&planned.room),
    }))
}

fn message(planned: &Planned) -> String {
    let Some(cause) = planned.cause else {
        return "It would start now.".to_owned();
    };
    let why = explain_cause(&Refusal { cause, room: planned.room.clone() });
    match planned.room.estimated_start {
        Some(start) => format!("It would not start now: {why} If it waited, it would probably start at {start:.0}."),
        None => format!("It would not start now: {why}"),
    }
}

pub const fn obstacle(cause: Cause) -> Obstacle {
    match cause {
        Cause::NeverFits => Obstacle::NeverFits,
        Cause::NoRoom => Obstacle::NoRoom,
        Cause::Queue => Obstacle::Queue,
        Cause::QueueFull => Obstacle::QueueFull,
        Cause::Gate => Obstacle::Gate,
    }
}
