//! `GET /executions/{run_id}`, and how an execution looks on the wire.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};

use crate::clock;
use crate::domain::execution::{Execution, RunId};
use crate::http::error::ApiError;
use crate::http::history_query::{check_known, query_value};
use crate::present::board::neighbour_to_wire;
use crate::present::execution::to_wire;
use crate::registry::{Neighbours, Registry, Until};
use crate::wire;
use crate::wire::board::NeighboursResponse;
use crate::wire::problem::Problem;

/// The longest that a call may be held.
pub const LONGEST_WAIT_SECONDS: u64 = 30;

/// Shows one execution, waiting, running or ended.
///
/// With `wait_seconds` it answers at the next change. It keeps nothing alive: `POST /heartbeat` does.
#[utoipa::path(
    get, path = "/executions/{run_id}", operation_id = "get_execution", tag = "executions",
    params(
        ("run_id" = i64, Path, example = 7),
        ("wait_seconds" = Option<u32>, Query, description = "At the most, up to 30.", maximum = 30),
        ("version" = Option<i64>, Query, description = "The version that is known; another one is a change. Without it, \
                                                         a change is that it no longer waits, must stop, or has ended."),
    ),
    responses(
        (status = 200, description = "As it is now.", body = wire::execution::Execution),
        (status = 404, description = "No test has this run_id.", body = Problem,
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
        return Ok(Json(to_wire(&find(&registry, path).await?, clock::now())));
    }
    let until = version.map(Until::NotVersion);
    let run_id = run_id(path)?;
    let execution = registry.watch(run_id, until, patience).await?.ok_or_else(|| no_such_run(run_id))?;
    Ok(Json(to_wire(&execution, clock::now())))
}

/// Lists what ran at the same location at the same time.
///
/// A run that had begun more than seven days before this one, and has ended, is not looked for.
#[utoipa::path(
    get, path = "/executions/{run_id}/neighbours", operation_id = "list_neighbours", tag = "executions",
    params(("run_id" = i64, Path, example = 7)),
    responses(
        (status = 200, description = "What ran beside it.", body = NeighboursResponse),
        (status = 404, description = "No test has this run_id.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn list_neighbours(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<NeighboursResponse>, ApiError> {
    check_known(query.as_deref(), &[]).map_err(ApiError::Invalid)?;
    let execution = find(&registry, path).await?;
    let Neighbours { neighbours, more } = registry.neighbours(&execution, clock::now()).await?;
    Ok(Json(NeighboursResponse { neighbours: neighbours.iter().map(neighbour_to_wire).collect(), more }))
}

/// The execution that the path names.
pub async fn find(registry: &Registry, path: Result<Path<String>, PathRejection>) -> Result<Execution, ApiError> {
    let run_id = run_id(path)?;
    registry.execution(run_id).await?.ok_or_else(|| no_such_run(run_id))
}

fn run_id(path: Result<Path<String>, PathRejection>) -> Result<RunId, ApiError> {
    path.ok().and_then(|Path(text)| text.parse().ok()).ok_or_else(|| not_found("No test has this run_id"))
}

fn no_such_run(run_id: RunId) -> ApiError {
    not_found(&format!("No test has the run_id {run_id}"))
}

fn not_found(what: &str) -> ApiError {
    ApiError::NotFound(format!("{what}; /history lists all."))
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
