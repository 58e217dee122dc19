//! How full a location is, who holds it, and what keeps a test from starting.

use super::cause::{ClosedGate, HolderInTheWay, InTheWay, explain};
use super::{decimal, gate};
use crate::domain::answer::{Cause, Holder, Planned, Refusal, Room};
use crate::domain::capacity::location::LocationName;
use crate::wire;
use crate::wire::room::{Blocking, Obstacle};

#[must_use]
pub fn to_wire(room: &Room) -> wire::room::Room {
    wire::room::Room {
        location: room.location.as_ref().map(ToString::to_string),
        capacity: decimal(room.capacity),
        running_factor: decimal(room.running_factor),
        requested_factor: decimal(room.requested_factor),
        available_factor: decimal(room.available_factor()),
        running: room.running,
        ahead: room.ahead,
        gate: gate::to_wire(&room.gate),
        blocking: room.blocking.iter().map(blocking).collect(),
    }
}

/// Who holds a part of it.
#[must_use]
pub fn blocking(holder: &Holder) -> Blocking {
    Blocking {
        run_id: holder.run_id.0,
        test: holder.test.clone(),
        triggered_by: holder.triggered_by.clone(),
        factor: decimal(holder.factor),
        start_time: holder.start_time,
        expected_seconds: holder.expected_seconds,
    }
}

/// The word for what keeps a test from starting.
#[must_use]
pub const fn obstacle(cause: Cause) -> Obstacle {
    match cause {
        Cause::NeverFits => Obstacle::NeverFits,
        Cause::NoRoom => Obstacle::NoRoom,
        Cause::Queue => Obstacle::Queue,
        Cause::QueueFull => Obstacle::QueueFull,
        Cause::Gate => Obstacle::Gate,
    }
}

/// What would come of a registration, in a sentence or two.
#[must_use]
pub fn plan_message(planned: &Planned) -> String {
    let Some(cause) = planned.cause else {
        return "It would start now.".to_owned();
    };
    let why = explain_cause(&Refusal { cause, room: planned.room.clone() });
    match planned.room.estimated_start {
        Some(start) => format!("It would not start now: {why} If it waited, it would probably start at {start:.0}."),
        None => format!("It would not start now: {why}"),
    }
}

/// What is in the way, in a sentence.
#[must_use]
pub fn explain_cause(Refusal { cause, room }: &Refusal) -> String {
    let gate = &room.gate;
    explain(&InTheWay {
        cause: *cause,
        location: room.location.as_ref().map(LocationName::as_str),
        capacity: room.capacity,
        used: room.running_factor,
        requested: room.requested_factor,
        running: room.running,
        holders: room.blocking.iter().map(in_the_way).collect(),
        ahead: room.ahead as i64,
        next: None,
        gate: ClosedGate {
            state: gate.state.as_str(),
            until: gate.until,
            reason: gate.reason.as_deref(),
            is_registrys: Some(room.closed_by_registry),
        },
    })
}

fn in_the_way(holder: &Holder) -> HolderInTheWay<'_> {
    let details = Some((holder.test.as_str(), holder.triggered_by.as_str(), holder.start_time));
    HolderInTheWay { run_id: holder.run_id.0, factor: holder.factor, details }
}

/// What a client of the API does about it, for the log of its pipeline.
#[must_use]
pub const fn advice(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::NeverFits => None,
        Cause::NoRoom => Some("Give wait_seconds to wait for room."),
        Cause::Queue => Some("Give wait_seconds to wait as well."),
        Cause::QueueFull => Some("Try again later."),
        Cause::Gate => Some("Give wait_seconds to wait for it."),
    }
}
