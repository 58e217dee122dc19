//! `POST /register`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::execution::Execution;
use super::problem::Problem;
use super::room::{Obstacle, Room};

/// A test that wants to run. Unknown fields are kept, up to 16 KiB, and given back as `extra`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RegisterRequest {
    #[schema(min_length = 1, max_length = 255, example = "myrepo")]
    pub repo: String,
    #[schema(min_length = 1, max_length = 255, example = "lac1")]
    pub lac: String,
    #[schema(min_length = 1, max_length = 255, example = "main")]
    pub stream: String,
    #[schema(min_length = 1, max_length = 255, example = "load")]
    pub test: String,
    #[schema(min_length = 1, max_length = 255, example = "performance")]
    pub r#type: String,
    #[schema(min_length = 1, max_length = 255, example = "prod")]
    pub environment: String,
    #[schema(min_length = 1, max_length = 255, example = "user1")]
    pub triggered_by: String,
    /// The share of the location, a number or a decimal string with at most six digits after the
    /// point; missing means 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NumberOrText, required = false)]
    pub factor: Option<String>,
    /// An http or https link.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048, example = "https://dashboard.example.com/run/123")]
    pub dashboard_url: Option<String>,
    /// Missing means that the test is bound by nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "azure-k8s")]
    pub location: Option<String>,
    /// How long it would wait for room, up to 86,400; missing or 0 means not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 86400, example = 600)]
    pub wait_seconds: Option<u32>,
    /// 0 to 9; among those who wait, the larger goes first. Missing means 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 9, example = 5)]
    pub priority: Option<u8>,
    /// Asks for a lease: the seconds between two heartbeats at the most, 10 to 3,600. A test that waits has one of 60
    /// unless it asks for another; with 0 heartbeats keep its place in the queue, and it has no lease once it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 3600, example = 60)]
    pub lease_seconds: Option<u32>,
    /// How long it will probably run, up to 604,800. Missing means the median of the last 20
    /// successes of the same repo, test, type and environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 604_800, example = 900)]
    pub expected_seconds: Option<u32>,
    #[serde(flatten)]
    #[schema(additional_properties, value_type = BTreeMap<String, Value>)]
    pub extra: BTreeMap<String, Value>,
}

#[cfg(test)]
impl RegisterRequest {
    /// The least that can be asked for of a location.
    #[must_use]
    pub fn example(location: Option<&str>, factor: Option<&str>) -> Self {
        Self {
            repo: "shop/web".to_owned(),
            lac: "default".to_owned(),
            stream: "main".to_owned(),
            test: "t.js".to_owned(),
            r#type: "performance".to_owned(),
            environment: "prod".to_owned(),
            triggered_by: "ana".to_owned(),
            factor: factor.map(str::to_owned),
            dashboard_url: None,
            location: location.map(str::to_owned),
            wait_seconds: None,
            priority: None,
            lease_seconds: None,
            expected_seconds: None,
            extra: BTreeMap::new(),
        }
    }
}

/// A number, or its text.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = 0.5)]
#[serde(untagged)]
pub enum NumberOrText {
    Number(f64),
    Text(String),
}

/// A whole number, or its text.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = 7)]
#[serde(untagged)]
pub enum WholeNumberOrText {
    Number(i64),
    Text(String),
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RegisterResponse {
    #[schema(example = "Test registered")]
    pub message: String,
    /// The same as `id`.
    pub test_id: Uuid,
    /// The secret for `/heartbeat` and `/complete`, if it has a lease. It is told only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_token: Option<String>,
    /// What to send with every `/heartbeat` and with `/complete`, if it has a lease: should the database forget the
    /// test, as a standby does that lagged behind, it is taken back in by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// What a person should know of its names, a sentence each: a location that is new, and close to which one that is known.
    /// An answer that is given again has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Where people look at it, if the server was told its public URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://ci.example.com/perfreg/runs/7")]
    pub page_url: Option<String>,
    #[serde(flatten)]
    pub execution: Execution,
}

/// A test that waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QueuedResponse {
    #[schema(example = "Test queued")]
    pub message: String,
    /// The same as `id`.
    pub test_id: Uuid,
    /// The secret for `/heartbeat` and `/complete`. It is told only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_token: Option<String>,
    /// 1 for the one that starts next.
    #[schema(example = 1)]
    pub position: usize,
    /// When it will probably start; null where that cannot be told.
    pub estimated_start: Option<Timestamp>,
    pub waits_for: Room,
    /// What a person should know of its names, a sentence each: a location that is new, and close to which one that is known.
    /// An answer that is given again has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Where people look at it, if the server was told its public URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://ci.example.com/perfreg/runs/7")]
    pub page_url: Option<String>,
    #[serde(flatten)]
    pub execution: Execution,
}

/// Why a test may not start now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RegisterRefusal {
    #[serde(flatten)]
    pub problem: Problem,
    /// Whether it could not start even if nothing else ran there.
    pub permanent: bool,
    /// What keeps it from starting.
    pub obstacle: Obstacle,
    /// The `detail` without what to do about it, for clients that say that in their own words.
    #[schema(example = "Cannot register test: 1 test waits for azure-k8s already and goes first.")]
    pub reason: String,
    /// What a person should know of its names, a sentence each: a location that is new, and close to which one that is known.
    /// An answer that is given again has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    #[serde(flatten)]
    pub room: Room,
}
