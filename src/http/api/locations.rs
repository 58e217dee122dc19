//! `GET /locations`, and all that can be done with one location.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};

use crate::domain::name::clean;
use crate::http::error::ApiError;
use crate::http::history_query::{check_known, query_value};
use crate::http::remarks;
use crate::http::request::body::JsonObject;
use crate::http::request::fields::Fields;
use crate::http::request::setting::{decoded, named, read_capacity, read_gate};
use crate::present::{adopted, location as present};
use crate::registry::{Deleted, Merging, Registry};
use crate::wire;
use crate::wire::location::{
    DeleteLocationResponse, LocationsResponse, MergeLocationRequest, MergeLocationResponse, SetLocationRequest,
};
use crate::wire::problem::Problem;

/// All locations that were ever used or set, by name.
#[utoipa::path(
    get, path = "/locations", operation_id = "list_locations", tag = "locations",
    responses((status = 200, description = "All of them.", body = LocationsResponse)),
)]
pub async fn list_locations(State(registry): State<Arc<Registry>>) -> Result<Json<LocationsResponse>, ApiError> {
    let locations = registry.locations().await?;
    let adopted = registry.adopted(&locations).await?.as_ref().map(adopted::to_wire);
    Ok(Json(LocationsResponse { locations: locations.iter().map(present::to_wire).collect(), adopted }))
}

/// One location.
#[utoipa::path(
    get, path = "/locations/{name}", operation_id = "get_location", tag = "locations",
    params(("name" = String, Path, example = "azure-k8s")),
    responses(
        (status = 200, description = "How full it is, and whether anything may start there.",
         body = wire::location::Location),
        (status = 404, description = "It was never used nor set; its first test finds a capacity of 1.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn get_location(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<wire::location::Location>, ApiError> {
    one(&registry, &decoded(path)?).await
}

/// As [`get_location`], behind a proxy that decodes the `%2F` of a name.
pub async fn get_location_with_slash(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<wire::location::Location>, ApiError> {
    let (name, rest) = decoded(path)?;
    one(&registry, &format!("{name}/{rest}")).await
}

async fn one(registry: &Registry, text: &str) -> Result<Json<wire::location::Location>, ApiError> {
    let name = named(registry, text).await?.map_err(|_| never_used())?;
    let location = registry.location(&name).await?.filter(|location| location.name.is_some());
    Ok(Json(present::to_wire(&location.ok_or_else(never_used)?)))
}

/// Sets a location's capacity, its state, or both.
///
/// Tests that run there go on, even above the new capacity; where everything is stopped, those with a lease are asked to
/// stop.
#[utoipa::path(
    put, path = "/locations/{name}", operation_id = "set_location", tag = "locations",
    params(("name" = String, Path, example = "azure-k8s")),
    request_body(content = SetLocationRequest, examples(
        ("capacity" = (summary = "Another capacity", value = json!({"capacity": 2.5, "by": "ana"}))),
        ("draining" = (summary = "Nothing new starts", value = json!({
            "state": "draining", "reason": "release of the shop", "by": "ana",
        }))),
        ("open" = (summary = "Tests may start again", value = json!({"state": "open", "by": "ana"}))),
    )),
    responses((status = 200, description = "As it is from now on.", body = wire::location::Location)),
)]
pub async fn set_location(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    JsonObject(fields): JsonObject,
) -> Result<Json<wire::location::Location>, ApiError> {
    set(&registry, &decoded(path)?, fields).await
}

/// As [`set_location`], behind a proxy that decodes the `%2F` of a name.
pub async fn set_location_with_slash(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<(String, String)>, PathRejection>,
    JsonObject(fields): JsonObject,
) -> Result<Json<wire::location::Location>, ApiError> {
    let (name, rest) = decoded(path)?;
    set(&registry, &format!("{name}/{rest}"), fields).await
}

async fn set(registry: &Registry, text: &str, mut fields: Fields) -> Result<Json<wire::location::Location>, ApiError> {
    let name = fields.take_result("name", named(registry, text).await?);
    let capacity = read_capacity(&mut fields);
    let by = fields.optional_text("by");
    let gate = read_gate(&mut fields, by.clone(), |fields| fields.optional_time("until"));
    if capacity.is_none() && gate.is_none() {
        fields.reject("capacity", "is required, or a state");
    }
    fields.reject_rest();
    let (name, capacity, gate) = fields.finish(name.map(|name| (name, capacity, gate)))?;
    let new = remarks::notice(registry, &name).await;
    let state = gate.as_ref().map(|gate| gate.state);
    let location = registry.set_location(name.clone(), capacity, gate, by).await?;
    let mut remarks = remarks::on_location(new.as_ref(), &location);
    if let Some(state) = state {
        remarks.extend(remarks::on_gate(registry, location.name.as_ref(), state).await);
    }
    Ok(Json(wire::location::Location { remarks, ..present::to_wire(&location) }))
}

/// Deletes a location at which nothing runs or waits.
///
/// It is as if it had never been used. Its executions and events stay.
#[utoipa::path(
    delete, path = "/locations/{name}", operation_id = "delete_location", tag = "locations",
    params(
        ("name" = String, Path, example = "azure-k8z"),
        ("by" = Option<String>, Query, description = "Who deletes it.", min_length = 1, max_length = 255),
    ),
    responses(
        (status = 200, description = "It is gone.", body = DeleteLocationResponse),
        (status = 404, description = "It was never used nor set.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "Tests run or wait there.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn delete_location(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<DeleteLocationResponse>, ApiError> {
    check_known(query.as_deref(), &["by"]).map_err(ApiError::Invalid)?;
    let by = query_value(query.as_deref(), "by").map(|by| clean(&by).map(Cow::into_owned)).transpose();
    let by = by.map_err(|error| ApiError::invalid("by", error.to_string()))?;
    let name = named(&registry, &decoded(path)?).await?.map_err(|message| ApiError::invalid("name", message))?;
    match registry.delete_location(name, by).await? {
        Deleted::Gone => Ok(Json(DeleteLocationResponse { message: "Location deleted".to_owned() })),
        Deleted::InUse(location) => Err(ApiError::LocationInUse(format!(
            "The location is in use: {} run there and {} wait. Wait until they have ended, or merge it into another.",
            location.running, location.waiting
        ))),
        Deleted::NotFound(new) => Err(ApiError::NotFound(present::not_there(&new))),
    }
}

/// Makes one location of two.
///
/// What runs and waits at this one does so at `into` from then on, which keeps its capacity and its state, and this one is
/// deleted. Ended executions keep the name of where they ran.
#[utoipa::path(
    post, path = "/locations/{name}/merge", operation_id = "merge_location", tag = "locations",
    params(("name" = String, Path, example = "azure-k8z")),
    request_body = MergeLocationRequest,
    responses(
        (status = 200, description = "The location that is left.", body = MergeLocationResponse),
        (status = 404, description = "One of them was never used nor set.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn merge_location(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    JsonObject(mut fields): JsonObject,
) -> Result<Json<MergeLocationResponse>, ApiError> {
    let from = fields.take_result("name", named(&registry, &decoded(path)?).await?);
    let into = match fields.string("into") {
        Some(into) => named(&registry, &into).await?,
        None => Err("is required".to_owned()),
    };
    let into = fields.take_result("into", into);
    let by = fields.optional_text("by");
    fields.reject_rest();
    if into.is_some() && into == from {
        fields.reject("into", "must be another location");
    }
    let (from, into) = fields.finish(from.zip(into))?;
    match registry.merge_locations(from, into, by).await? {
        Merging::Merged(location, moved) => {
            let location = present::to_wire(&location);
            Ok(Json(MergeLocationResponse { message: "Locations merged".to_owned(), moved, location }))
        }
        Merging::NotFound(new) => Err(ApiError::NotFound(present::not_there(&new))),
    }
}

fn never_used() -> ApiError {
    ApiError::NotFound("No test has used this location, and no capacity was set.".to_owned())
}
