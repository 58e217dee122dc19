//! `GET /locations` and `PUT /locations/{name}`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::decimal::Decimal;

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
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LocationsResponse {
    /// By name.
    pub locations: Vec<Location>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SetLocationRequest {
    /// Above 0 and at most 1000, with at most six digits after the point.
    #[schema(value_type = super::register::NumberOrText, example = 2.5)]
    pub capacity: String,
}
