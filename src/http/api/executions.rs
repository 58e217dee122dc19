//! `GET /executions/{run_id}`, and how an execution looks on the wire.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::value::RawValue;

use super::fields::parse_run_id;
use crate::domain::execution::{Execution, Outcome, Status};
use crate::http::error::ApiError;
use crate::registry::Registry;
use crate::wire;
use crate::wire::decimal::Decimal;
use crate::wire::execution::ExecutionStatus;
use crate::wire::problem::Problem;

/// One execution, running or ended.
#[utoipa::path(
    get, path = "/executions/{run_id}", operation_id = "get_execution", tag = "executions",
    params(("run_id" = i64, Path, example = 7)),
    responses(
        (status = 200, body = wire::execution::Execution),
        (status = 404, description = "No test has this run_id.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn get_execution(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<wire::execution::Execution>, ApiError> {
    let run_id = path.ok().and_then(|Path(text)| parse_run_id(&text));
    let not_found = || ApiError::NotFound("No test has this run_id; /history lists all.".to_owned());
    let execution = registry.execution(run_id.ok_or_else(not_found)?).await?.ok_or_else(not_found)?;
    Ok(Json(to_wire(&execution)))
}

pub fn to_wire(execution: &Execution) -> wire::execution::Execution {
    let details = &execution.details;
    let recorded =
        |factor: crate::domain::factor::Factor| execution.exact_factor.clone().unwrap_or_else(|| factor.to_string());
    wire::execution::Execution {
        id: execution.id,
        run_id: execution.run_id.0,
        repo: details.repo.clone(),
        lac: details.lac.clone(),
        stream: details.stream.clone(),
        test: details.test.clone(),
        r#type: details.kind.clone(),
        environment: details.environment.clone(),
        triggered_by: details.triggered_by.clone(),
        status: status_to_wire(execution.status),
        start_time: execution.start_time,
        end_time: execution.end_time,
        factor: details.factor.map(|factor| Decimal::new(recorded(factor))),
        dashboard_url: details.dashboard_url.clone(),
        location: details.location.as_ref().map(ToString::to_string),
        extra: RawValue::from_string(details.extra.clone()).unwrap_or_default(),
    }
}

pub fn status_to_wire(status: Status) -> ExecutionStatus {
    match status {
        Status::Running => ExecutionStatus::Running,
        Status::Ended(Outcome::Success) => ExecutionStatus::Success,
        Status::Ended(Outcome::Failure) => ExecutionStatus::Failure,
        Status::Ended(Outcome::Cancelled) => ExecutionStatus::Cancelled,
    }
}
