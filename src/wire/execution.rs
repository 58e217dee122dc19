//! One test execution.

use std::fmt;

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
    /// 0 to 9; among those who wait, the larger goes first.
    #[schema(example = 5)]
    pub priority: u8,
    /// When it began to wait; null if it started at once.
    pub queued_at: Option<Timestamp>,
    /// When it gives up waiting.
    pub wait_until: Option<Timestamp>,
    /// Seconds between two heartbeats at the most; null without a lease.
    pub lease_seconds: Option<u32>,
    /// When it becomes suspect unless a heartbeat comes. A test that waits is passed over from then on, until one comes.
    pub lease_expires_at: Option<Timestamp>,
    /// Whether a heartbeat was missed. It still holds its share of the location, or its place in the queue.
    pub suspect: bool,
    /// Grows with every start at the location.
    pub fence: Option<i64>,
    /// Set when it was asked to stop.
    pub stop: Option<Stop>,
    /// Why it ended, where its runner did not say so itself: `wait_timeout`, `not_heard`, `lost` or
    /// `cannot_fit`.
    pub end_reason: Option<String>,
    /// How long it was expected to run when it was registered.
    pub expected_seconds: Option<u32>,
    /// Whether it runs for more than four times as long as expected.
    pub overdue: bool,
    /// Grows with every change that a watcher wants to see.
    pub version: i64,
    /// Every further field that the client sent, as it sent it.
    #[schema(value_type = Object)]
    pub extra: Box<RawValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    Queued,
    Running,
    Success,
    Failure,
    Cancelled,
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
        })
    }
}

/// A request that a running test stop its load.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Stop {
    #[schema(example = "the database of prod is in trouble")]
    pub reason: String,
    /// Who asked.
    pub by: Option<String>,
    pub at: Timestamp,
}
