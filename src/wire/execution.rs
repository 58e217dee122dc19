//! One test execution.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::decimal::Decimal;

/// A test execution, running or ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Execution {
    /// The test_id, a UUID of version 7.
    pub id: Uuid,
    /// Unique and growing.
    #[schema(example = 7)]
    pub run_id: i64,
    #[schema(example = "myrepo")]
    pub repo: String,
    #[schema(example = "lac1")]
    pub lac: String,
    #[schema(example = "main")]
    pub stream: String,
    #[schema(example = "load")]
    pub test: String,
    #[schema(example = "performance")]
    pub r#type: String,
    #[schema(example = "prod")]
    pub environment: String,
    #[schema(example = "user1")]
    pub triggered_by: String,
    pub status: ExecutionStatus,
    /// UTC.
    pub start_time: Timestamp,
    /// UTC; null while it runs.
    pub end_time: Option<Timestamp>,
    /// Its share of the location, an exact decimal.
    #[schema(value_type = Option<f64>, example = 0.5)]
    pub factor: Option<Decimal>,
    #[schema(example = "https://dashboard.example.com/run/123")]
    pub dashboard_url: Option<String>,
    #[schema(example = "azure-k8s")]
    pub location: Option<String>,
    /// Every further field that the client sent, as it sent it.
    #[schema(value_type = Object)]
    pub extra: Box<RawValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    Running,
    Success,
    Failure,
    Cancelled,
}
