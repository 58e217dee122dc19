//! `POST /complete`: records how a test ended.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::clock;
use crate::domain::execution::{Execution, Outcome};
use crate::http::error::{ApiError, problem, problem_response};
use crate::http::request::body::JsonObject;
use crate::http::request::fields::Fields;
use crate::present::execution::{status_to_wire, to_wire, why_not};
use crate::registry::{Completed, Registry};
use crate::wire::complete::{CompleteConflict, CompleteRequest, CompleteResponse, CompleteStatus};
use crate::wire::problem::Problem;

/// Marks a running test as complete.
///
/// Saying the same again is answered the same.
#[utoipa::path(
    post, path = "/complete", operation_id = "complete_execution", tag = "executions",
    request_body(content = CompleteRequest, example = json!({"run_id": 7, "status": "success"})),
    responses(
        (status = 200, description = "It has this outcome.", body = CompleteResponse),
        (status = 403, description = "The lease_token is missing or another.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "No test has this run_id.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "It has another outcome.", body = CompleteConflict,
         content_type = "application/problem+json"),
    ),
)]
pub async fn complete(
    State(registry): State<Arc<Registry>>,
    JsonObject(mut fields): JsonObject,
) -> Result<Response, ApiError> {
    let run_id = fields.required_run_id("run_id");
    let outcome = read_outcome(&mut fields);
    let (lease_token, receipt) = (fields.string("lease_token"), fields.string("receipt"));
    let (run_id, outcome) = fields.finish(run_id.zip(outcome))?;
    let done = registry.complete(run_id, outcome, lease_token.as_deref(), receipt.as_deref()).await?;
    completed(done, "Test marked as complete")
}

fn read_outcome(fields: &mut Fields) -> Option<Outcome> {
    let outcome = match fields.string("status").and_then(|word| CompleteStatus::of_word(&word)) {
        Some(CompleteStatus::Success) => Some(Outcome::Success),
        Some(CompleteStatus::Failure | CompleteStatus::Failed) => Some(Outcome::Failure),
        Some(CompleteStatus::Cancelled) => Some(Outcome::Cancelled),
        None => None,
    };
    if outcome.is_none() {
        fields.reject("status", "must be one of success, failure, cancelled, or a CI system's word for one of them");
    }
    outcome
}

/// The answer of every call that ends a test.
pub fn completed(completed: Completed, message: &str) -> Result<Response, ApiError> {
    Ok(match completed {
        Completed::Ended(execution) => Json(CompleteResponse {
            message: message.to_owned(),
            test_id: execution.id,
            execution: to_wire(&execution, clock::now()),
        })
        .into_response(),
        Completed::Stopping(execution) => {
            let body = CompleteResponse {
                message: "Test asked to stop".to_owned(),
                test_id: execution.id,
                execution: to_wire(&execution, clock::now()),
            };
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
        Completed::EndedOtherwise(execution) | Completed::NotStarted(execution) => {
            problem_response(StatusCode::CONFLICT, &conflict(&execution))
        }
        Completed::WrongToken => return Err(ApiError::WrongToken),
        Completed::WrongReceipt => return Err(ApiError::wrong_receipt()),
        Completed::OtherRun => return Err(ApiError::OtherRun),
        Completed::NotFound => return Err(ApiError::NotFound("Running test not found".to_owned())),
    })
}

/// What is said of an execution to which a command comes too late, or too early.
pub fn conflict(execution: &Execution) -> CompleteConflict {
    let (kind, detail) = why_not(execution);
    CompleteConflict {
        problem: problem(kind, StatusCode::CONFLICT, detail),
        run_id: execution.run_id.0,
        outcome: status_to_wire(execution.status),
        end_reason: execution.end_reason.map(|reason| reason.as_str().to_owned()),
    }
}
