//! What happened.

use serde_json::value::RawValue;

use crate::domain::event::SavedEvent;
use crate::wire;

#[must_use]
pub fn to_wire(event: &SavedEvent) -> wire::event::Event {
    wire::event::Event {
        id: event.id.to_string(),
        at: event.at,
        kind: event.kind.clone(),
        run_id: event.run_id.map(|run_id| run_id.0),
        location: event.location.as_ref().map(ToString::to_string),
        by: event.by.clone(),
        details: RawValue::from_string(event.facts.clone()).unwrap_or_default(),
    }
}
