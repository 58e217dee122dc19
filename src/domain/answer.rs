//! What a command is answered with.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::execution::idempotency::IdempotencyKey;
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Registered(Execution),
    /// It waits; the room says for what.
    Queued(Execution, Room),
    /// What a registration would be answered with.
    Planned(Planned),
    Refused(Refusal),
    /// What the first request with the same key was answered with.
    Again {
        first: Box<Self>,
        /// Of the first request's key.
        salt: String,
    },
    /// The key was used for another request.
    KeyReused,
    /// The factor is above everything the location could be asked for.
    FactorTooLarge {
        largest: Factor,
    },
    /// The location is new, and only known ones are taken.
    UnknownLocation,
    Ended(Execution),
    /// The execution had already ended with another outcome, or was given up.
    EndedOtherwise(Execution),
    /// It waits, so it cannot have succeeded or failed.
    NotStarted(Execution),
    /// It has been asked to stop, and holds its share until it has.
    Stopping(Execution),
    /// The beat was heard; a waiter is told its place as well.
    Alive(Execution, Option<Room>),
    /// The run is counted, and its runner heard of.
    TakenBack(Execution),
    /// The run_id is another execution's by now.
    OtherRun,
    /// The secret is missing or another.
    WrongToken,
    /// No execution has the run_id.
    NotFound,
    Location(Location),
    /// Tests run or wait there, so it stays.
    LocationInUse(Location),
    /// What was due is done.
    Swept,
}

impl Answer {
    /// The execution that it is about, if there is one.
    pub fn run_mut(&mut self) -> Option<&mut Execution> {
        match self {
            Self::Again { first, .. } => first.run_mut(),
            Self::Registered(run)
            | Self::Queued(run, _)
            | Self::Ended(run)
            | Self::EndedOtherwise(run)
            | Self::NotStarted(run)
            | Self::Stopping(run)
            | Self::Alive(run, _) => Some(run),
            _ => None,
        }
    }

    /// The room that it shows, if it shows one.
    pub fn room_mut(&mut self) -> Option<&mut Room> {
        match self {
            Self::Again { first, .. } => first.room_mut(),
            Self::Queued(_, room) | Self::Alive(_, Some(room)) => Some(room),
            Self::Refused(refusal) => Some(&mut refusal.room),
            Self::Planned(planned) => Some(&mut planned.room),
            _ => None,
        }
    }

    /// The execution that waits, and the room it waits for.
    pub fn waiter_mut(&mut self) -> Option<(RunId, &mut Room)> {
        match self {
            Self::Again { first, .. } => first.waiter_mut(),
            Self::Queued(run, room) | Self::Alive(run, Some(room)) => Some((run.run_id, room)),
            _ => None,
        }
    }
}

/// What the first request with a key was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstAnswer {
    pub key: IdempotencyKey,
    pub answer: Answer,
}

/// What would come of a registration now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What keeps it from starting; nothing if it would start.
    pub cause: Option<Cause>,
    /// The largest factor that would start now, if any would.
    pub largest_factor: Option<Factor>,
    pub room: Room,
}

/// Why a test may not start, with everything that was weighed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub cause: Cause,
    pub room: Room,
}

/// What it is that keeps a test from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The factor could not start even if nothing else ran there.
    NeverFits,
    NoRoom,
    /// Others came first, and wait.
    Queue,
    /// So many wait that one more is not taken on.
    QueueFull,
    /// The location or the registry takes nothing on.
    Gate,
}

impl Cause {
    pub const ALL: [Self; 5] = [Self::NeverFits, Self::NoRoom, Self::Queue, Self::QueueFull, Self::Gate];

    /// The word that the API and the databases use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverFits => "never_fits",
            Self::NoRoom => "no_room",
            Self::Queue => "queue",
            Self::QueueFull => "queue_full",
            Self::Gate => "gate",
        }
    }
}

/// How full a location is, from the point of view of one who wants to start there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// `None` for a test that names no location, which only a closed registry keeps waiting.
    pub location: Option<LocationName>,
    pub capacity: Factor,
    pub running_factor: Factor,
    pub requested_factor: Factor,
    /// How many executions ran there; `blocking` names the largest of them.
    pub running: i64,
    /// How many wait there and go first.
    pub ahead: usize,
    /// Of the location's gate and the registry's, the one that holds more back.
    pub gate: Gate,
    /// Whether it is the registry's.
    pub closed_by_registry: bool,
    pub blocking: Arc<[Holder]>,
    /// When a waiter will probably start, where that can be told.
    pub estimated_start: Option<Timestamp>,
}

impl Room {
    #[must_use]
    pub fn available_factor(&self) -> Factor {
        self.capacity.left_after(self.running_factor)
    }

    /// What keeps one from starting who may wait.
    #[must_use]
    pub fn cause(&self) -> Cause {
        if !self.gate.is_open() {
            Cause::Gate
        } else if self.location.is_some() && self.requested_factor >= self.available_factor() {
            Cause::NoRoom
        } else {
            Cause::Queue
        }
    }
}

/// A running execution, as far as those need to know it whom it blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub run_id: RunId,
    pub test: String,
    pub triggered_by: String,
    pub factor: Factor,
    pub start_time: Timestamp,
    /// How long it was expected to run when it was registered.
    pub expected_seconds: Option<u32>,
}

impl Holder {
    #[must_use]
    pub fn of(run: &Execution) -> Self {
        Self {
            run_id: run.run_id,
            test: run.details.test.clone(),
            triggered_by: run.details.triggered_by.clone(),
            factor: run.factor(),
            start_time: run.start_time,
            expected_seconds: run.expected_seconds,
        }
    }
}
