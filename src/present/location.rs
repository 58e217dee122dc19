//! A location, and what there is to say of its name.

use super::{decimal, gate};
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{Location, UnknownLocation};
use crate::domain::name::{NameError, clean, is_clean, is_quoted};
use crate::wire;

#[must_use]
pub fn to_wire(location: &Location) -> wire::location::Location {
    wire::location::Location {
        name: location.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        capacity: decimal(location.capacity),
        used: decimal(location.used),
        available: decimal(location.available()),
        running: location.running,
        waiting: location.waiting,
        gate: gate::to_wire(&location.gate),
        flaw: location.name.as_ref().and_then(|name| flaw(name.as_str())),
        remarks: Vec::new(),
    }
}

/// What is wrong with the name of a location that was there before there was a rule for names.
#[must_use]
pub fn flaw(name: &str) -> Option<String> {
    if is_clean(name) {
        return None;
    }
    Some(match clean(name) {
        Ok(clean) => format!(
            "This spelling can no longer be registered; tests that name it are taken for {clean:?}. Merge this location into \
             that one."
        ),
        Err(NameError::Invisible(one)) => {
            format!(
                "It has the invisible character U+{one:04X}, and can no longer be registered. Merge it into another."
            )
        }
        Err(error) => format!("A name {error}, so it can no longer be registered. Merge it into another."),
    })
}

/// That a location is new, and which known one is close to it.
#[must_use]
pub fn newness(new: &UnknownLocation, capacity: Factor) -> String {
    let UnknownLocation { name, nearest } = new;
    match nearest {
        Some(nearest) => format!(
            "The location {name} is new here, with a capacity of {capacity}; the one that is known and closest to it is \
             {nearest}."
        ),
        None => format!("The location {name} is new here, with a capacity of {capacity}."),
    }
}

/// That the quotes around a name are part of it.
#[must_use]
pub fn quotes(field: &str, name: &str) -> Option<String> {
    is_quoted(name).then(|| format!("The {field} has quotes around it, which are part of its name: {name}"))
}

/// That there is no such location, and which is close to it.
#[must_use]
pub fn not_there(new: &UnknownLocation) -> String {
    let nearest = new.nearest.as_ref().map(|nearest| format!(" The closest to it is {nearest}.")).unwrap_or_default();
    format!("No test has used the location {}, and no capacity was set.{nearest}", new.name)
}
