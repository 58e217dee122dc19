//! How full a location is, who holds it, and what keeps a test from starting.

use super::{decimal, gate};
use crate::domain::answer::{Cause, Holder, Planned, Refusal, Room};
use crate::domain::capacity::factor::Factor;
use crate::wire;
use crate::wire::room::Blocking;
use crate::wire::room::Obstacle;

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
pub fn explain_cause(refusal: &Refusal) -> String {
    let room = &refusal.room;
    let Room { capacity, running_factor: used, requested_factor: asked, gate, .. } = room;
    let location = room.location.as_ref().map_or_else(|| "the registry".to_owned(), ToString::to_string);
    match refusal.cause {
        Cause::NeverFits => {
            let largest = capacity.left_after(Factor::SMALLEST);
            format!(
                "factor {asked} can never run at {location}, where the sum must stay below {capacity}. The largest \
                 factor that fits is {largest}."
            )
        }
        Cause::NoRoom => format!(
            "{used} runs at {location} and {asked} more would not stay below {capacity}. Running there: {}.",
            describe_holders(room)
        ),
        Cause::Queue => match room.ahead {
            1 => format!("1 test waits for {location} already and goes first."),
            ahead => format!("{ahead} tests wait for {location} already and go first."),
        },
        Cause::QueueFull => format!("{} tests wait for {location} already, and no more are taken on.", room.ahead),
        Cause::Gate => {
            let closed = if room.closed_by_registry { "the registry".to_owned() } else { location };
            let until = gate.until.map(|until| format!(" until {until:.0}")).unwrap_or_default();
            let reason = gate.reason.as_deref().unwrap_or("no reason was given");
            format!("{closed} is {}{until}: {}.", gate.state.as_str(), reason.trim_end_matches('.'))
        }
    }
}

fn describe_holders(room: &Room) -> String {
    let who: Vec<String> = room.blocking.iter().take(3).map(describe).collect();
    let others = match room.running - who.len() as i64 {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    format!("{}{others}", who.join(", "))
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

fn describe(holder: &Holder) -> String {
    let Holder { run_id, test, triggered_by, factor, start_time, .. } = holder;
    format!("run {run_id} ({test} by {triggered_by}, {factor}, since {start_time:.0})")
}
