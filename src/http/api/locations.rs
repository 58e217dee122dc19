//! `GET /locations`, and `GET` and `PUT /locations/{name}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};

use super::body::JsonObject;
use super::fields::check_text;
use super::gate::{self, read_gate};
use crate::domain::factor::Factor;
use crate::domain::location::{Location, LocationName};
use crate::http::error::ApiError;
use crate::registry::Registry;
use crate::wire;
use crate::wire::decimal::Decimal;
use crate::wire::location::{LocationsResponse, SetLocationRequest};
use crate::wire::problem::Problem;

/// All locations that were ever used or set, by name.
#[utoipa::path(
    get, path = "/locations", operation_id = "list_locations", tag = "locations",
    responses((status = 200, body = LocationsResponse)),
)]
pub async fn list_locations(State(registry): State<Arc<Registry>>) -> Result<Json<LocationsResponse>, ApiError> {
    let locations = registry.locations().await?;
    Ok(Json(LocationsResponse { locations: locations.iter().map(to_wire).collect() }))
}

/// One location.
#[utoipa::path(
    get, path = "/locations/{name}", operation_id = "get_location", tag = "locations",
    params(("name" = String, Path, example = "azure-k8s")),
    responses(
        (status = 200, body = wire::location::Location),
        (status = 404, description = "It was never used nor set; its first test finds a capacity of 1.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn get_location(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<wire::location::Location>, ApiError> {
    let never_used = || ApiError::NotFound("No test has used this location, and no capacity was set.".to_owned());
    let Path(name) = path.map_err(|_| never_used())?;
    let location = registry.location(&LocationName::new(&name)).await?.filter(|location| location.name.is_some());
    Ok(Json(to_wire(&location.ok_or_else(never_used)?)))
}

/// Sets a location's capacity, its state, or both. Tests that run there go on, even above the new
/// capacity; where everything is stopped, those with a lease are asked to stop.
#[utoipa::path(
    put, path = "/locations/{name}", operation_id = "set_location", tag = "locations",
    params(("name" = String, Path, example = "azure-k8s")),
    request_body = SetLocationRequest,
    responses(
        (status = 200, body = wire::location::Location),
        (status = 422, description = "What is wrong with which field.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn set_location(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    JsonObject(mut fields): JsonObject,
) -> Result<Json<wire::location::Location>, ApiError> {
    let Ok(Path(name)) = path else {
        return Err(ApiError::invalid("name", "is not UTF-8"));
    };
    if let Err(message) = check_text(&name) {
        fields.reject("name", message);
    }
    let capacity = fields.optional_factor("capacity");
    let by = fields.optional_text("by");
    let gate = read_gate(&mut fields, by.clone());
    match capacity {
        None if gate.is_none() => fields.reject("capacity", "is required, or a state"),
        Some(capacity) if capacity == Factor::ZERO => fields.reject("capacity", "must be above 0"),
        Some(capacity) if capacity > Location::LARGEST_CAPACITY => {
            fields.reject("capacity", format_args!("must be at most {}", Location::LARGEST_CAPACITY));
        }
        None | Some(_) => {}
    }
    fields.reject_rest();
    let (capacity, gate) = fields.finish(Some((capacity, gate)))?;
    Ok(Json(to_wire(&registry.set_location(LocationName::new(&name), capacity, gate, by).await?)))
}

fn to_wire(location: &Location) -> wire::location::Location {
    wire::location::Location {
        name: location.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        capacity: Decimal::new(location.capacity.to_string()),
        used: Decimal::new(location.used.to_string()),
        available: Decimal::new(location.available().to_string()),
        running: location.running,
        waiting: location.waiting,
        gate: gate::to_wire(&location.gate),
    }
}
