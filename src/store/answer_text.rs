//! How the first answer to a request is written down, to be given again.
//!
//! An execution is not written down with it: what its registration was answered with follows
//! from what never changes in its row.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StoreError;
use crate::domain::answer::{Answer, Cause, Holder, Refusal, Room};
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;

#[derive(Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
enum Saved {
    Registered,
    Queued { room: SavedRoom },
    Refused { cause: String, room: SavedRoom },
    FactorTooLarge { largest: i64 },
}

#[derive(Serialize, Deserialize)]
struct SavedRoom {
    location: Option<String>,
    capacity: i64,
    running_factor: i64,
    requested_factor: i64,
    running: i64,
    ahead: usize,
    state: String,
    reason: Option<String>,
    by: Option<String>,
    until: Option<Timestamp>,
    closed_by_registry: bool,
    blocking: Vec<SavedHolder>,
    estimated_start: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct SavedHolder {
    run_id: i64,
    test: String,
    triggered_by: String,
    factor: i64,
    start_time: Timestamp,
    expected_seconds: Option<u32>,
}

/// The text of an answer to a registration, and the id of the execution it is about.
pub fn write(answer: &Answer) -> Result<(String, Option<Uuid>), StoreError> {
    let (saved, id) = match answer {
        Answer::Registered(run) => (Saved::Registered, Some(run.id)),
        Answer::Queued(run, room) => (Saved::Queued { room: save_room(room) }, Some(run.id)),
        Answer::Refused(Refusal { cause, room }) => {
            (Saved::Refused { cause: cause.as_str().to_owned(), room: save_room(room) }, None)
        }
        Answer::FactorTooLarge { largest } => (Saved::FactorTooLarge { largest: largest.millionths() }, None),
        other => return Err(broken(&format!("{other:?} is no answer to a registration"))),
    };
    Ok((serde_json::to_string(&saved).map_err(|error| broken(&error))?, id))
}

/// The answer as it was given, made from its text and the execution as it is now.
pub fn read(text: &str, run: Option<&Execution>) -> Result<Answer, StoreError> {
    let run = || run.ok_or_else(|| broken(&"the execution of a first answer is gone"));
    Ok(match serde_json::from_str(text).map_err(|error| broken(&error))? {
        Saved::Registered => Answer::Registered(run()?.as_started()),
        Saved::Queued { room } => Answer::Queued(run()?.as_queued(), read_room(room)?),
        Saved::Refused { cause, room } => {
            let cause = Cause::ALL.into_iter().find(|known| known.as_str() == cause);
            let cause = cause.ok_or_else(|| broken(&"unknown cause"))?;
            Answer::Refused(Refusal { cause, room: read_room(room)? })
        }
        Saved::FactorTooLarge { largest } => Answer::FactorTooLarge { largest: Factor::from_millionths(largest) },
    })
}

fn save_room(room: &Room) -> SavedRoom {
    SavedRoom {
        location: room.location.as_ref().map(ToString::to_string),
        capacity: room.capacity.millionths(),
        running_factor: room.running_factor.millionths(),
        requested_factor: room.requested_factor.millionths(),
        running: room.running,
        ahead: room.ahead,
        state: room.gate.state.as_str().to_owned(),
        reason: room.gate.reason.clone(),
        by: room.gate.by.clone(),
        until: room.gate.until,
        closed_by_registry: room.closed_by_registry,
        blocking: room.blocking.iter().map(save_holder).collect(),
        estimated_start: room.estimated_start,
    }
}

fn read_room(saved: SavedRoom) -> Result<Room, StoreError> {
    let state = saved.state.parse().map_err(|error| broken(&error))?;
    Ok(Room {
        location: saved.location.as_deref().map(LocationName::new),
        capacity: Factor::from_millionths(saved.capacity),
        running_factor: Factor::from_millionths(saved.running_factor),
        requested_factor: Factor::from_millionths(saved.requested_factor),
        running: saved.running,
        ahead: saved.ahead,
        gate: Gate { state, reason: saved.reason, by: saved.by, until: saved.until },
        closed_by_registry: saved.closed_by_registry,
        blocking: saved.blocking.into_iter().map(read_holder).collect(),
        estimated_start: saved.estimated_start,
    })
}

fn save_holder(holder: &Holder) -> SavedHolder {
    SavedHolder {
        run_id: holder.run_id.0,
        test: holder.test.clone(),
        triggered_by: holder.triggered_by.clone(),
        factor: holder.factor.millionths(),
        start_time: holder.start_time,
        expected_seconds: holder.expected_seconds,
    }
}

fn read_holder(saved: SavedHolder) -> Holder {
    Holder {
        run_id: RunId(saved.run_id),
        test: saved.test,
        triggered_by: saved.triggered_by,
        factor: Factor::from_millionths(saved.factor),
        start_time: saved.start_time,
        expected_seconds: saved.expected_seconds,
    }
}

fn broken(reason: &impl ToString) -> StoreError {
    StoreError::Broken(format!("a first answer: {}", reason.to_string()))
}
