//! `POST /heartbeat`.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::execution::Execution;
use super::room::Room;

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HeartbeatRequest {
    /// A number, or its text.
    #[schema(value_type = super::register::WholeNumberOrText)]
    pub run_id: i64,
    /// The secret that register gave.
    pub lease_token: String,
    /// What register, or the heartbeat that told of the start, was answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Answers at the next change, but at the latest after so many seconds, up to 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 30, example = 20)]
    pub wait_seconds: Option<u32>,
    /// The version that is known already; another one is a change. Without it, a change is that a
    /// waiter no longer waits, or that a runner must stop or has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HeartbeatResponse {
    #[schema(example = "Heard")]
    pub message: String,
    /// While it waits: 1 for the one that starts next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// While it waits, when it will probably start, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_start: Option<Timestamp>,
    /// While it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Room>,
    /// Once it runs, and while none is sent: what to send with every further call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Where people look at it, if the server was told its public URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://ci.example.com/perfreg/runs/7")]
    pub page_url: Option<String>,
    #[serde(flatten)]
    pub execution: Execution,
}
