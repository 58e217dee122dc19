//! `POST /complete`.

use serde::Serialize;
use utoipa::ToSchema;

use super::execution::{Execution, ExecutionStatus};
use super::problem::Problem;

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CompleteRequest {
    /// A number, or its text.
    #[schema(value_type = super::register::WholeNumberOrText)]
    pub run_id: i64,
    // A type of its own would have constants of the names that those of ExecutionStatus have, which Go cannot.
    #[schema(inline)]
    pub status: CompleteStatus,
    /// The secret that register gave, for a test with a lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_token: Option<String>,
    /// What register, or a heartbeat, was answered with; a test that the database has forgotten is taken back in by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// How a test ended. The words of CI systems are understood as well, whatever their case, such as `passed`, `canceled`,
/// `ABORTED` or `timed_out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CompleteStatus {
    Success,
    Failure,
    Cancelled,
    /// The same as failure.
    Failed,
}

/// What CI systems call the end of a job, in lower case and without separators: Azure Pipelines, Argo, Bitbucket,
/// Buildkite, CircleCI, CodeBuild, Concourse, Drone, GitHub, GitLab, Jenkins, TeamCity, Tekton, Travis.
const WORDS: [(CompleteStatus, &[&str]); 3] = [
    (
        CompleteStatus::Success,
        &["success", "succeeded", "successful", "succeededwithissues", "passed", "pass", "ok", "complete", "completed"],
    ),
    (
        CompleteStatus::Failure,
        &[
            "failure",
            "failed",
            "fail",
            "failing",
            "error",
            "errored",
            "unstable",
            "timedout",
            "timeout",
            "fault",
            "broken",
            "expired",
            "infrastructurefail",
            "startupfailure",
        ],
    ),
    (
        CompleteStatus::Cancelled,
        &[
            "cancelled",
            "canceled",
            "cancelling",
            "canceling",
            "aborted",
            "abort",
            "killed",
            "stopped",
            "terminated",
            "interrupted",
            "abandoned",
            "declined",
            "skipped",
            "omitted",
            "notbuilt",
            "notrun",
            "stale",
        ],
    ),
];

impl CompleteStatus {
    /// The outcome that a CI system's word means, whatever its case; none for a word that means no end.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let is_separator = |character: &char| matches!(character, '_' | '-' | ' ');
        let plain: String = word.trim().chars().filter(|one| !is_separator(one)).collect::<String>().to_lowercase();
        let (status, _) = WORDS.iter().find(|(_, words)| words.contains(&plain.as_str()))?;
        Some(*status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_ci_system_for_an_end_is_understood() {
        for (word, status) in [
            ("success", CompleteStatus::Success),
            ("SUCCESS", CompleteStatus::Success),
            ("Succeeded", CompleteStatus::Success),
            ("SucceededWithIssues", CompleteStatus::Success),
            ("SUCCESSFUL", CompleteStatus::Success),
            ("passed", CompleteStatus::Success),
            ("failed", CompleteStatus::Failure),
            ("FAILURE", CompleteStatus::Failure),
            ("UNSTABLE", CompleteStatus::Failure),
            ("timed_out", CompleteStatus::Failure),
            ("TIMED OUT", CompleteStatus::Failure),
            ("infrastructure_fail", CompleteStatus::Failure),
            ("errored", CompleteStatus::Failure),
            ("canceled", CompleteStatus::Cancelled),
            ("Cancelled", CompleteStatus::Cancelled),
            ("ABORTED", CompleteStatus::Cancelled),
            ("NOT_BUILT", CompleteStatus::Cancelled),
            ("killed", CompleteStatus::Cancelled),
            ("skipped", CompleteStatus::Cancelled),
        ] {
            assert_eq!(CompleteStatus::of_word(word), Some(status), "{word}");
        }
        for word in ["", "running", "pending", "queued", "manual", "sucess", "success!", "0", "finished"] {
            assert_eq!(CompleteStatus::of_word(word), None, "{word}");
        }
    }
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
