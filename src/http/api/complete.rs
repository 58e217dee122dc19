//! `POST /complete`: records how a test ended.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::body::JsonObject;
use super::executions::{status_to_wire, to_wire};
use super::fields::Fields;
use crate::domain::execution::{Execution, Outcome};
use crate::http::error::{ApiError, problem, problem_response};
use crate::registry::{Completed, Registry};
use crate::wire::complete::{CompleteConflict, CompleteRequest, CompleteResponse};
use crate::wire::problem::Problem;

/// Marks a running test as complete. Saying the same again is answered the same.
#[utoipa::path(
    post, path = "/complete", operation_id = "complete_execution", tag = "executions",
    request_body = CompleteRequest,
    responses(
        (status = 200, description = "It has this outcome.", body = CompleteResponse),
        (status = 404, description = "No test has this run_id.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "It has another outcome.", body = CompleteConflict,
         content_type = "application/problem+json"),
        (status = 422, description = "What is wrong with which field.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn complete(
    State(registry): State<Arc<Registry>>,
    JsonObject(mut fields): JsonObject,
) -> Result<Response, ApiError> {
    let run_id = fields.required_run_id("run_id");
    let outcome = read_outcome(&mut fields);
    let (run_id, outcome) = fields.finish(run_id.zip(outcome))?;
    completed(registry.complete(run_id, outcome).await?, "Test marked as complete")
}

fn read_outcome(fields: &mut Fields) -> Option<Outcome> {
    let outcome = match fields.string("status").as_deref() {
        Some("success") => Some(Outcome::Success),
        // Clients of the original in the field send "failed".
        Some("failure" | "failed") => Some(Outcome::Failure),
        Some("cancelled") => Some(Outcome::Cancelled),
        Some(_) | None => None,
    };
    if outcome.is_none() {
        fields.reject("status", "must be one of success, failure, cancelled");
    }
    outcome
}

/// The answer of every call that ends a test.
pub fn completed(completed: Completed, message: &str) -> Result<Response, ApiError> {
    Ok(match completed {
        Completed::Ended(execution) => Json(CompleteResponse {
            message: message.to_owned(),
            test_id: execution.id,
            execution: to_wire(&execution),
        })
        .into_response(),
        Completed::EndedOtherwise(execution) => problem_response(StatusCode::CONFLICT, &conflict(&execution)),
        Completed::NotFound => return Err(ApiError::NotFound("Running test not found".to_owned())),
    })
}

fn conflict(execution: &Execution) -> CompleteConflict {
    let (run_id, status) = (execution.run_id, execution.status);
    let when = execution.end_time.map(|time| format!(" at {time:.0}")).unwrap_or_default();
    let detail = format!("Test {run_id} already ended as {status}{when}; that stays.");
    CompleteConflict {
        problem: problem("already-ended", StatusCode::CONFLICT, detail),
        run_id: run_id.0,
        outcome: status_to_wire(status),
    }
}
