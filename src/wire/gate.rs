//! `GET /registry` and `PUT /registry`, and the gate of a location.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether anything may start, and why not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Gate {
    pub state: GateState,
    #[schema(example = "release of the shop")]
    pub reason: Option<String>,
    /// Who set it.
    pub by: Option<String>,
    /// When it opens by itself.
    pub until: Option<Timestamp>,
}

// In the order of how much it holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GateState {
    Open,
    /// Nothing new starts; what runs goes on.
    Draining,
    /// As draining, and everything that has a lease is asked to stop.
    Stopped,
}

/// The registry's gate, as it is from now on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SetGateResponse {
    #[serde(flatten)]
    pub gate: Gate,
    /// What a person should know once it is set, a sentence each: which runs are not asked to stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SetGateRequest {
    pub state: GateState,
    /// Required unless the state is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "release of the shop")]
    pub reason: Option<String>,
    /// Who sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "ana")]
    pub by: Option<String>,
    /// When it opens by itself, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}
