//! Reads which location is meant, and what it, or the whole registry, is to be set to.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use jiff::Timestamp;

use super::fields::{Fields, location_name};
use crate::clock;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::gate::{Gate, GateState};
use crate::domain::name::is_clean;
use crate::http::error::ApiError;
use crate::registry::Registry;

/// The names in a path.
pub fn decoded<T>(path: Result<Path<T>, PathRejection>) -> Result<T, ApiError> {
    path.map(|Path(decoded)| decoded).map_err(|_| ApiError::invalid("name", "is not UTF-8"))
}

/// The location that a text names, or what is wrong with it. One whose spelling is from before there was a rule for names
/// keeps it.
pub async fn named(registry: &Registry, text: &str) -> Result<Result<LocationName, String>, ApiError> {
    let as_sent = LocationName::new(text);
    // PostgreSQL knows no NUL.
    if !text.is_empty() && !text.contains('\0') && !is_clean(text) && registry.location(&as_sent).await?.is_some() {
        return Ok(Ok(as_sent));
    }
    Ok(location_name(text))
}

/// What the field `capacity` is, if there is one.
pub fn read_capacity(fields: &mut Fields) -> Option<Factor> {
    let capacity = fields.optional_factor("capacity")?;
    if capacity == Factor::ZERO {
        fields.reject("capacity", "must be above 0");
    } else if capacity > Location::LARGEST_CAPACITY {
        fields.reject("capacity", format_args!("must be at most {}", Location::LARGEST_CAPACITY));
    }
    Some(capacity)
}

/// The gate that the fields `state` and `reason` describe, if there is a state; `until` takes the fields that say when it
/// opens by itself.
pub fn read_gate(
    fields: &mut Fields,
    by: Option<String>,
    until: impl FnOnce(&mut Fields) -> Option<Timestamp>,
) -> Option<Gate> {
    let state = fields.string("state");
    let reason = fields.optional_text("reason");
    let until = until(fields);
    let state: GateState = match state.as_deref().map(str::parse) {
        Some(Ok(state)) => state,
        Some(Err(error)) => {
            fields.reject("state", error);
            return None;
        }
        None if reason.is_some() || until.is_some() => {
            fields.reject("state", "is required with a reason or a time");
            return None;
        }
        None => return None,
    };
    if state == GateState::Open {
        return Some(Gate { by, ..Gate::OPEN });
    }
    if until.is_some_and(|until| until <= clock::now()) {
        fields.reject("until", "must be in the future");
    }
    if reason.is_none() {
        fields.reject("reason", "is required, so that everybody who waits can be told");
    }
    Some(Gate { state, reason, by, until })
}
