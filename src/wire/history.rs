//! `GET /history`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::execution::{Execution, ExecutionStatus};

/// Texts are compared without regard to case; in each, `%` stands for any run of characters.
#[derive(Clone, Debug, Default, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// A pattern: case does not count, and `%` stands for any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// A pattern, as `stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Only those that have it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<ExecutionStatus>, inline)]
    pub status: Option<String>,
    /// A pattern, as `stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// A pattern, as `stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// A pattern, as `stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lac: Option<String>,
    /// A pattern, as `stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// A pattern, as `stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// A pattern, as `stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggered_by: Option<String>,
    /// Started at or after this: RFC 3339, or a date, which begins at midnight UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Started before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Executions on a page; without it the answer has all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^-?[0-9]+_[0-9]+$")]
    pub cursor: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HistoryResponse {
    /// Newest first.
    pub executions: Vec<Execution>,
    /// The `cursor` of the next page; null on the last.
    pub next: Option<String>,
}
