//! The board: what runs and waits where, in the order of the rule, and when each waiter will probably start.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::domain::answer::{Holder, Room};
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;
use crate::domain::schedule::estimate::{estimate_starts, expected_end};
use crate::domain::schedule::holders::holder_order;
use crate::domain::schedule::queue::Queue;

/// So many of those who hold a location are named to one who waits for it.
const MOST_HOLDERS: usize = 10;

/// What a store reads for it, all of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardSnapshot {
    /// The gate of the whole registry.
    pub registry: Gate,
    /// By name; first comes the row of the tests that name no location, if there is one.
    pub locations: Vec<Location>,
    pub running: Vec<Execution>,
    pub queued: Vec<Execution>,
}

/// All locations, or the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// The time for which positions and estimates are told.
    pub at: Timestamp,
    /// The gate of the whole registry.
    pub registry: Gate,
    /// In the order of the snapshot.
    pub locations: Vec<BoardLocation>,
}

/// A location, with what runs and waits there as far as the snapshot has it; `location` counts all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardLocation {
    pub location: Location,
    /// Of the location's gate and the registry's, the one that holds more back.
    pub gate: Gate,
    pub closed_by_registry: bool,
    /// How many of those that run were adopted from the original's database, as far as the snapshot has them.
    pub adopted: usize,
    /// The oldest start first.
    pub running: Vec<BoardRun>,
    /// The next to start first, and last those that are passed over.
    pub queue: Vec<BoardWaiter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardRun {
    pub execution: Execution,
    /// When it will probably end, if its registration or its history says how long it takes.
    pub expected_end: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardWaiter {
    pub execution: Execution,
    /// 1 goes next. None for a waiter that is passed over, and where the snapshot has not everybody who waits there.
    pub position: Option<usize>,
    /// When it will probably start, where that can be told: not where the snapshot has not all who run and wait there.
    pub estimated_start: Option<Timestamp>,
}

impl Board {
    #[must_use]
    pub fn new(snapshot: BoardSnapshot, now: Timestamp) -> Self {
        let (mut running, mut queued) = (by_location(snapshot.running), by_location(snapshot.queued));
        let here = |location: Location| {
            let (running, queued) = (running.remove(&location.name), queued.remove(&location.name));
            let (running, queued) = (running.unwrap_or_default(), queued.unwrap_or_default());
            BoardLocation::new(location, &snapshot.registry, running, queued, now)
        };
        let locations = snapshot.locations.into_iter().map(here).collect();
        Self { at: now, registry: snapshot.registry.at(now), locations }
    }
}

impl BoardLocation {
    fn new(
        location: Location,
        registry: &Gate,
        mut running: Vec<Execution>,
        queued: Vec<Execution>,
        now: Timestamp,
    ) -> Self {
        running.sort_by_key(|run| (run.start_time, run.run_id));
        let (own, registrys) = (location.gate.at(now), registry.at(now));
        let gate = own.stricter(&registrys).clone();
        let queue = queue_of(&location, registry, &running, queued, now);
        let run = |execution: Execution| {
            let expected = execution.expected_seconds;
            BoardRun { expected_end: expected.map(|one| expected_end(execution.start_time, one, now)), execution }
        };
        Self {
            closed_by_registry: registrys.state > own.state,
            adopted: running.iter().filter(|run| run.fence.is_none()).count(),
            gate,
            running: running.into_iter().map(run).collect(),
            queue,
            location,
        }
    }

    /// Whether all that run and wait there are on the board.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        is_whole(self.running.len(), self.location.running) && is_whole(self.queue.len(), self.location.waiting)
    }

    /// How full it is from the point of view of one who waits here, with the largest of those who hold it.
    #[must_use]
    pub fn room_of(&self, waiter: &BoardWaiter) -> Room {
        let mut holders: Vec<Holder> = self.running.iter().map(|run| Holder::of(&run.execution)).collect();
        holders.sort_by_key(holder_order);
        holders.truncate(MOST_HOLDERS);
        Room {
            location: self.location.name.clone(),
            capacity: self.location.capacity,
            running_factor: self.location.used,
            requested_factor: waiter.execution.factor(),
            running: self.location.running,
            ahead: waiter.position.map_or(0, |position| position - 1),
            gate: self.gate.clone(),
            closed_by_registry: self.closed_by_registry,
            blocking: holders.into(),
            estimated_start: waiter.estimated_start,
        }
    }

    /// Leaves the first so many of what runs, and of what waits.
    #[must_use]
    pub fn shortened(mut self, most: usize) -> Self {
        self.running.truncate(most);
        self.queue.truncate(most);
        self
    }
}

fn queue_of(
    location: &Location,
    registry: &Gate,
    running: &[Execution],
    queued: Vec<Execution>,
    now: Timestamp,
) -> Vec<BoardWaiter> {
    let has_all_waiters = is_whole(queued.len(), location.waiting);
    let has_all_runs = is_whole(running.len(), location.running);
    let queue = Queue::new(&queued);
    let starts = if has_all_waiters && has_all_runs {
        let holders: Vec<Holder> = running.iter().map(Holder::of).collect();
        estimate_starts(location, registry, &holders, queue.clone(), now)
    } else {
        HashMap::<RunId, Timestamp>::new()
    };
    let waiter = |execution: Execution| {
        let is_told = has_all_waiters && !execution.is_suspect();
        BoardWaiter {
            position: is_told.then(|| queue.ahead_of(&execution, now) + 1),
            estimated_start: starts.get(&execution.run_id).copied(),
            execution,
        }
    };
    let mut waiters: Vec<BoardWaiter> = queued.into_iter().map(waiter).collect();
    waiters.sort_by_key(|waiter| (waiter.position.is_none(), waiter.position, waiter.execution.run_id));
    waiters
}

fn is_whole(read: usize, count: i64) -> bool {
    i64::try_from(read).is_ok_and(|read| read == count)
}

fn by_location(executions: Vec<Execution>) -> BTreeMap<Option<LocationName>, Vec<Execution>> {
    let mut by_location: BTreeMap<_, Vec<Execution>> = BTreeMap::new();
    for execution in executions {
        by_location.entry(execution.details.location.clone()).or_default().push(execution);
    }
    by_location
}
