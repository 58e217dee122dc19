//! `POST /complete`.

use serde::Serialize;
use utoipa::ToSchema;

use super::execution::{Execution, ExecutionStatus};
use super::problem::Problem;

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CompleteRequest {
    /// A number, or its text.
    #[schema(value_type = super::register::NumberOrText, example = 7)]
    pub run_id: i64,
    pub status: CompleteStatus,
    /// The secret that register gave, for a test with a lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_token: Option<String>,
    /// What register, or a heartbeat, was answered with; a test that the database has forgotten is taken back in by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CompleteStatus {
    Success,
    Failure,
    Cancelled,
    /// The same as failure.
    Failed,
}

/// The answer of `POST /complete` and `POST /cancel`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CompleteResponse {
    #[schema(example = "Test marked as complete")]
    pub message: String,
    /// The same as `id`.
    pub test_id: uuid::Uuid,
    #[serde(flatten)]
    pub execution: Execution,
}

/// The test has already ended with another outcome, or has not started.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CompleteConflict {
    #[serde(flatten)]
    pub problem: Problem,
    pub run_id: i64,
    /// The status it has.
    pub outcome: ExecutionStatus,
    /// Why it ended, where its runner did not say so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
}
