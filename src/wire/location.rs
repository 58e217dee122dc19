//! `GET /locations`, and all that can be done with one location.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::decimal::Decimal;
use super::gate::{Gate, GateState};

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Location {
    #[schema(example = "azure-k8s")]
    pub name: String,
    /// The factors running here stay below this.
    #[schema(value_type = f64, example = 1)]
    pub capacity: Decimal,
    /// The sum of the factors running here.
    #[schema(value_type = f64, example = 0.5)]
    pub used: Decimal,
    /// What is not in use; only a smaller factor fits.
    #[schema(value_type = f64, example = 0.5)]
    pub available: Decimal,
    /// How many tests run here.
    pub running: i64,
    /// How many tests wait for it.
    pub waiting: i64,
    pub gate: Gate,
    /// What is wrong with its name, which is from before there was a rule for names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<String>,
    /// What a person should know once it is set, a sentence each: that it is new, and close to which one that is
    /// known; which runs are not asked to stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// Which location takes in all that is at this one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MergeLocationRequest {
    #[schema(min_length = 1, max_length = 255, example = "azure-k8s")]
    pub into: String,
    /// Who merges them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "ana")]
    pub by: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MergeLocationResponse {
    #[schema(example = "Locations merged")]
    pub message: String,
    /// How many tests that run or wait were moved.
    #[schema(example = 3)]
    pub moved: usize,
    /// The location that took them in.
    pub location: Location,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeleteLocationResponse {
    #[schema(example = "Location deleted")]
    pub message: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LocationsResponse {
    /// By name.
    pub locations: Vec<Location>,
    /// What still runs that was adopted from the original's database; missing once nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
}

/// Adopted runs have no lease: nobody notices when one is gone, and it holds its share until somebody ends it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Adopted {
    /// How many still run, everywhere.
    #[schema(example = 187)]
    pub running: i64,
    /// The start of the oldest.
    pub oldest: Timestamp,
    /// The locations where nothing can start.
    pub full: Vec<String>,
    /// The same in a sentence or two.
    pub message: String,
    /// What lists those where it is worst; without `--dry-run` it ends them.
    pub command: Option<String>,
}

/// A capacity, a state, or both.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SetLocationRequest {
    /// Above 0 and at most 1000, with at most six digits after the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = super::register::NumberOrText, required = false)]
    pub capacity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<GateState>,
    /// Required with a state other than open.
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
