//! How full a location is, who holds it, and what keeps a test from starting.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::decimal::Decimal;
use super::gate::Gate;

/// What keeps a test from starting.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Room {
    /// Null for a test that names none.
    pub location: Option<String>,
    #[schema(value_type = f64, example = 1)]
    pub capacity: Decimal,
    /// The sum of the factors running there.
    #[schema(value_type = f64, example = 0.5)]
    pub running_factor: Decimal,
    #[schema(value_type = f64, example = 0.5)]
    pub requested_factor: Decimal,
    /// What is not in use; only a smaller factor fits.
    #[schema(value_type = f64, example = 0.5)]
    pub available_factor: Decimal,
    /// How many tests run there.
    pub running: i64,
    /// How many wait there and go first.
    pub ahead: usize,
    pub gate: Gate,
    /// Those running there, the largest factor first, at most 100.
    pub blocking: Vec<Blocking>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Blocking {
    pub run_id: i64,
    pub test: String,
    pub triggered_by: String,
    #[schema(value_type = f64)]
    pub factor: Decimal,
    pub start_time: Timestamp,
    /// How long it was expected to run when it was registered.
    pub expected_seconds: Option<u32>,
}

/// The word for what keeps a test from starting.
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
