//! `POST /plan`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::decimal::Decimal;
use super::register::Room;

/// What would come of a registration now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanResponse {
    /// What would happen, in a sentence.
    #[schema(example = "It would start now.")]
    pub message: String,
    pub starts_now: bool,
    /// What keeps it from starting.
    pub obstacle: Option<Obstacle>,
    /// When it would probably start if it waited; null where that cannot be told.
    pub estimated_start: Option<Timestamp>,
    /// The largest factor that would start now; null if none would.
    #[schema(value_type = Option<f64>, example = 0.499_999)]
    pub largest_factor: Option<Decimal>,
    /// What a person should know of its names, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    #[serde(flatten)]
    pub room: Room,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The factor could not start even if nothing else ran there.
    NeverFits,
    NoRoom,
    /// Others wait and go first.
    Queue,
    /// So many wait that one more is not taken on.
    QueueFull,
    /// The location or the registry takes nothing on.
    Gate,
}
