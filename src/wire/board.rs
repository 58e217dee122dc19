//! `GET /board`, and `GET /executions/{run_id}/neighbours`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::decimal::Decimal;
use super::execution::{ExecutionStatus, Stop};
use super::gate::Gate;

/// How many runs, and how many waiters, of each location a request may ask for.
pub const MOST_SHOWN: u32 = 10_000;

/// What runs and waits where, all of one moment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Board {
    /// The moment, UTC.
    pub at: Timestamp,
    /// The state of the whole registry.
    pub registry: Gate,
    /// By name; the tests that name no location come first, if there are any.
    pub locations: Vec<BoardLocation>,
}

/// A location, who runs there, and who waits for it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BoardLocation {
    /// Null for the tests that name no location, which nothing limits.
    #[schema(example = "azure-k8s")]
    pub name: Option<String>,
    /// The factors running here stay below this.
    #[schema(value_type = Option<f64>, example = 1)]
    pub capacity: Option<Decimal>,
    /// The sum of the factors running here.
    #[schema(value_type = f64, example = 0.5)]
    pub used: Decimal,
    /// What is not in use; only a smaller factor fits.
    #[schema(value_type = Option<f64>, example = 0.5)]
    pub available: Option<Decimal>,
    /// Whether anything may start here: the stricter of the location's own state and the registry's.
    pub gate: Gate,
    pub closed_by_registry: bool,
    /// How many tests run here.
    pub running: i64,
    /// How many tests wait for it.
    pub waiting: i64,
    /// How many of the tests that run here were adopted from the original's database, of the first 10,000 of the board.
    #[serde(default)]
    pub adopted: usize,
    /// What runs here, the oldest start first.
    pub runs: Vec<BoardRun>,
    /// Who waits for it, the next to start first; those that are passed over come last.
    pub queue: Vec<BoardWaiter>,
}

/// A test that runs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BoardRun {
    #[schema(example = 7)]
    pub run_id: i64,
    #[schema(example = "load")]
    pub test: String,
    #[schema(example = "myrepo")]
    pub repo: String,
    #[schema(example = "main")]
    pub stream: String,
    #[schema(example = "prod")]
    pub environment: String,
    #[schema(example = "performance")]
    pub r#type: String,
    #[schema(example = "user1")]
    pub triggered_by: String,
    #[schema(value_type = Option<f64>, example = 0.5)]
    pub factor: Option<Decimal>,
    pub start_time: Timestamp,
    /// When it will probably end; null where nothing is known of how long it takes.
    pub expected_end: Option<Timestamp>,
    /// Whether a heartbeat was missed.
    pub suspect: bool,
    /// Whether it runs for more than four times as long as expected.
    pub overdue: bool,
    /// Set when it was asked to stop.
    pub stop: Option<Stop>,
    /// Whether it was adopted from the original's database, so that only a person can end it.
    pub adopted: bool,
}

/// A test that waits.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BoardWaiter {
    #[schema(example = 8)]
    pub run_id: i64,
    #[schema(example = "load")]
    pub test: String,
    #[schema(example = "myrepo")]
    pub repo: String,
    #[schema(example = "main")]
    pub stream: String,
    #[schema(example = "prod")]
    pub environment: String,
    #[schema(example = "performance")]
    pub r#type: String,
    #[schema(example = "user1")]
    pub triggered_by: String,
    #[schema(value_type = Option<f64>, example = 0.5)]
    pub factor: Option<Decimal>,
    /// 0 to 9; the larger goes first.
    #[schema(example = 5)]
    pub priority: u8,
    /// 1 goes next. Null while it is passed over, and where more wait than were looked at.
    pub position: Option<usize>,
    pub queued_at: Timestamp,
    /// When it gives up.
    pub wait_until: Timestamp,
    /// When it will probably start; null where that cannot be told.
    pub estimated_start: Option<Timestamp>,
    /// Whether a heartbeat was missed: it is passed over until one comes.
    pub suspect: bool,
}

#[derive(Clone, Debug, Default, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BoardQuery {
    /// The exact name of a location, for that one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// How many of `runs` and of `queue` are shown of each location, 100 unless given; `running` and `waiting` count all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 10_000)]
    pub limit: Option<u32>,
}

/// A run at the same location at the same time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Neighbour {
    #[schema(example = 6)]
    pub run_id: i64,
    #[schema(example = "load")]
    pub test: String,
    #[schema(example = "myrepo")]
    pub repo: String,
    #[schema(example = "prod")]
    pub environment: String,
    #[schema(example = "user1")]
    pub triggered_by: String,
    pub status: ExecutionStatus,
    #[schema(value_type = Option<f64>, example = 0.3)]
    pub factor: Option<Decimal>,
    pub start_time: Timestamp,
    /// Null while it runs.
    pub end_time: Option<Timestamp>,
    /// For how many whole seconds both ran.
    #[schema(example = 240)]
    pub overlap_seconds: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NeighboursResponse {
    /// The one that was beside it for longest first.
    pub neighbours: Vec<Neighbour>,
    /// Whether more ran there at that time than were looked at.
    pub more: bool,
}
