//! What a person should know of the names in a request, though nothing is wrong with it.

use std::time::Duration;

use tokio::time::timeout;

use crate::clock;
use crate::domain::capacity::location::{Location, LocationName, UnknownLocation};
use crate::domain::execution::Details;
use crate::domain::gate::GateState;
use crate::http::error::ApiError;
use crate::present::gate::not_asked;
use crate::present::location::{newness, quotes};
use crate::registry::Registry;

/// A test is not kept waiting for longer by a database that does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// On a test that wants to run. Where the database does not answer, nothing is said of whether its location is new.
pub async fn on_registration(registry: &Registry, details: &Details) -> Vec<String> {
    let new = match &details.location {
        Some(location) => notice(registry, location).await,
        None => None,
    };
    let location = details.location.as_ref().map(|name| ("location", name.as_str()));
    let names = [
        ("repo", details.repo.as_str()),
        ("lac", &details.lac),
        ("stream", &details.stream),
        ("test", &details.test),
        ("type", &details.kind),
        ("environment", &details.environment),
        ("triggered_by", &details.triggered_by),
    ];
    let quoted = names.into_iter().chain(location).filter_map(|(field, name)| quotes(field, name));
    new.iter().map(|new| newness(new, Location::DEFAULT_CAPACITY)).chain(quoted).collect()
}

/// What there is to say of the location if it is new.
pub async fn notice(registry: &Registry, location: &LocationName) -> Option<UnknownLocation> {
    timeout(PATIENCE, registry.notice_location(location)).await.ok()?.ok()?
}

/// On a location that was set, which may have been new before.
pub fn on_location(new: Option<&UnknownLocation>, location: &Location) -> Vec<String> {
    let name = location.name.as_ref().map(LocationName::as_str).unwrap_or_default();
    let new = new.map(|new| newness(new, location.capacity));
    new.into_iter().chain(quotes("location", name)).collect()
}

/// On a gate that was set to this state, of one location or of the whole registry.
pub async fn on_gate(registry: &Registry, location: Option<&LocationName>, state: GateState) -> Vec<String> {
    if state != GateState::Stopped {
        return Vec::new();
    }
    let Ok(Ok(board)) = timeout(PATIENCE, registry.board(location, clock::now())).await else { return Vec::new() };
    let running = board.locations.iter().flat_map(|here| &here.running).map(|run| &run.execution);
    not_asked(running).into_iter().collect()
}

/// Where only known locations are taken, this one is not.
pub fn unknown_location(new: &UnknownLocation) -> ApiError {
    let nearest = new.nearest.as_ref().map(|nearest| format!("; the closest to it is {nearest}")).unwrap_or_default();
    ApiError::invalid(
        "location",
        format!(
            "{} is not known, and this registry takes known locations only{nearest}. Setting its capacity makes it known",
            new.name
        ),
    )
}
