//! `GET /status`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::execution::Execution;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatusResponse {
    /// Everything that runs, newest first.
    pub running: Vec<Execution>,
}
