//! `GET /executions/{run_id}`, and how an execution looks on the wire.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::fields::parse_run_id;
use crate::clock;
use crate::domain::execution::{Execution, Outcome, RunId, Status, Stop};
use crate::http::error::ApiError;
use crate::http::history_query::{check_known, query_value};
use crate::registry::{Registry, Until};
use crate::wire;
use crate::wire::decimal::Decimal;
use crate::wire::execution::ExecutionStatus;
use crate::wire::problem::Problem;

/// The longest that a call may be held.
pub const LONGEST_WAIT_SECONDS: u64 = 30;

/// One execution, waiting, running or ended. With `wait_seconds` it answers at the next change,
/// and keeps nothing alive.
#[utoipa::path(
    get, path = "/executions/{run_id}", operation_id = "get_execution", tag = "executions",
    params(
        ("run_id" = i64, Path, example = 7),
        ("wait_seconds" = Option<u32>, Query, description = "At the most, up to 30.", maximum = 30),
        ("version" = Option<i64>, Query, description = "The version that is known; another one is a change. Without it, \
                                                         a change is that it no longer waits, must stop, or has ended."),
    ),
    responses(
        (status = 200, body = wire::execution::Execution),
        (status = 404, description = "No test has this run_id.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "What is wrong with which parameter.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn get_execution(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<wire::execution::Execution>, ApiError> {
    let (patience, version) = read_wait(query.as_deref())?;
    if patience.is_zero() {
        return Ok(Json(to_wire(&find(&registry, path).await?)));
    }
    let until = version.map(Until::NotVersion);
    let execution = registry.watch(run_id(path)?, until, patience).await?.ok_or_else(not_found)?;
    Ok(Json(to_wire(&execution)))
}

/// The execution that the path names.
pub async fn find(registry: &Registry, path: Result<Path<String>, PathRejection>) -> Result<Execution, ApiError> {
    registry.execution(run_id(path)?).await?.ok_or_else(not_found)
}

fn run_id(path: Result<Path<String>, PathRejection>) -> Result<RunId, ApiError> {
    path.ok().and_then(|Path(text)| parse_run_id(&text)).ok_or_else(not_found)
}

fn not_found() -> ApiError {
    ApiError::NotFound("No test has this run_id; /history lists all.".to_owned())
}

fn read_wait(query: Option<&str>) -> Result<(Duration, Option<i64>), ApiError> {
    check_known(query, &["wait_seconds", "version"]).map_err(ApiError::Invalid)?;
    let number = |name: &str| {
        query_value(query, name)
            .map(|text| text.parse::<i64>().map_err(|_| ApiError::invalid(name, "must be a whole number")))
            .transpose()
    };
    let (seconds, version) = (number("wait_seconds")?.unwrap_or_default(), number("version")?);
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds <= LONGEST_WAIT_SECONDS);
    let patience = seconds.ok_or_else(|| ApiError::invalid("wait_seconds", "must be from 0 to 30"))?;
    Ok((Duration::from_secs(patience), version))
}

pub fn to_wire(execution: &Execution) -> wire::execution::Execution {
    into_wire(execution.clone(), clock::now())
}

/// As it looks at that time, which only decides whether it is overdue. No text is copied, unless others have it as well.
pub fn into_wire(execution: Execution, now: Timestamp) -> wire::execution::Execution {
    let (factor, overdue) = (execution.factor_text().map(Decimal::new), execution.is_overdue(now));
    let (suspect, lease_expires_at) = (execution.is_suspect(), execution.suspect_at());
    let details = Arc::unwrap_or_clone(execution.details);
    wire::execution::Execution {
        id: execution.id,
        run_id: execution.run_id.0,
        repo: details.repo,
        lac: details.lac,
        stream: details.stream,
        test: details.test,
        r#type: details.kind,
        environment: details.environment,
        triggered_by: details.triggered_by,
        status: status_to_wire(execution.status),
        start_time: execution.start_time,
        end_time: execution.end_time,
        factor,
        dashboard_url: details.dashboard_url,
        location: details.location.map(|location| location.to_string()),
        priority: execution.priority.get(),
        queued_at: execution.place.as_ref().map(|place| place.queued_at),
        wait_until: execution.place.as_ref().map(|place| place.until),
        lease_seconds: execution.lease.as_ref().map(|lease| lease.seconds).filter(|seconds| *seconds > 0),
        lease_expires_at,
        suspect,
        fence: execution.fence,
        stop: execution.stop.map(stop_to_wire),
        end_reason: execution.end_reason.map(|reason| reason.as_str().to_owned()),
        expected_seconds: execution.expected_seconds,
        overdue,
        version: execution.version,
        extra: RawValue::from_string(details.extra).unwrap_or_default(),
    }
}

fn stop_to_wire(stop: Stop) -> wire::execution::Stop {
    wire::execution::Stop { reason: stop.reason, by: stop.by, at: stop.at }
}

pub fn status_to_wire(status: Status) -> ExecutionStatus {
    match status {
        Status::Queued => ExecutionStatus::Queued,
        Status::Running => ExecutionStatus::Running,
        Status::Ended(Outcome::Success) => ExecutionStatus::Success,
        Status::Ended(Outcome::Failure) => ExecutionStatus::Failure,
        Status::Ended(Outcome::Cancelled) => ExecutionStatus::Cancelled,
    }
}
