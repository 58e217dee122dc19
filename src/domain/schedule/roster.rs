//! Who is at a location: those who wait there, and those who run there with a lease.
//!
//! It is kept from one batch to the next and changed in place, so that a batch costs what it
//! changes, however many wait or run.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::answer::Holder;
use crate::domain::capacity::location::Location;
use crate::domain::execution::place::Place;
use crate::domain::execution::{EndReason, Execution, RunId, Status};
use crate::domain::gate::Gate;
use crate::domain::schedule::estimate::estimate_starts;
use crate::domain::schedule::holders::Holders;
use crate::domain::schedule::queue::Queue;

/// For so long an estimate holds while nothing but heartbeats comes.
const ESTIMATE_HOLDS: SignedDuration = SignedDuration::from_secs(1);

#[derive(Clone, Debug, Default)]
pub struct Roster {
    runs: HashMap<RunId, Execution>,
    queue: Queue,
    /// Those who run with a lease.
    leased: BTreeSet<RunId>,
    /// Those of them that were not asked to stop.
    not_stopping: BTreeSet<RunId>,
    /// When something runs out for whom, the first first.
    due: BTreeSet<(Timestamp, RunId)>,
    /// Those who run there, with a lease or without; nothing if they are not known.
    holders: Option<Holders>,
    estimate: Option<Estimate>,
    /// The last return of the registry after which everybody was looked at.
    looked_at_after: Option<Timestamp>,
}

/// When each of those who wait will probably start, and what that was reckoned from.
#[derive(Clone, Debug)]
struct Estimate {
    at: Timestamp,
    registry: Gate,
    starts: Arc<HashMap<RunId, Timestamp>>,
}

impl Roster {
    /// Of the executions of a location, those who wait or run with a lease count.
    #[must_use]
    pub fn new(executions: Vec<Execution>) -> Self {
        let mut roster = Self::default();
        for run in executions {
            roster.put(run);
        }
        roster
    }

    #[must_use]
    pub fn get(&self, run_id: RunId) -> Option<&Execution> {
        self.runs.get(&run_id)
    }

    /// How many executions it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// How many run with a lease.
    #[must_use]
    pub fn leased(&self) -> usize {
        self.leased.len()
    }

    /// Those who run with a lease and were not asked to stop.
    #[must_use]
    pub fn not_stopping(&self) -> Vec<RunId> {
        self.not_stopping.iter().copied().collect()
    }

    /// Those for whom something has run out by `now`, by run_id.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<RunId> {
        let mut due: Vec<RunId> = self.due.range(..=(now, RunId(i64::MAX))).map(|(_, run_id)| *run_id).collect();
        due.sort_unstable();
        due
    }

    /// Everybody, by run_id, the first time that this is asked after a return of the registry.
    pub fn all_after(&mut self, resumed_at: Option<Timestamp>) -> Vec<RunId> {
        if self.looked_at_after == resumed_at {
            return Vec::new();
        }
        self.looked_at_after = resumed_at;
        let mut all: Vec<RunId> = self.due.iter().map(|(_, run_id)| *run_id).collect();
        all.sort_unstable();
        all
    }

    /// When something next runs out for somebody.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    #[must_use]
    pub fn holders(&self) -> Option<&Holders> {
        self.holders.as_ref()
    }

    pub fn set_holders(&mut self, holders: Holders) {
        self.holders = Some(holders);
        self.forget_estimate();
    }

    /// Adds an execution, or replaces the one that has its run_id.
    pub fn put(&mut self, run: Execution) {
        let before = self.remove(run.run_id);
        match (&before, run.status) {
            // A heartbeat leaves all in their places.
            (Some(before), Status::Queued) if before.is_queued() && before.is_suspect() == run.is_suspect() => {}
            (Some(before), Status::Queued) if before.is_queued() => {
                self.queue.remove(before);
                self.queue.push(&run);
                self.forget_estimate();
            }
            (Some(before), _) if before.is_queued() => self.queue.remove(before),
            (_, Status::Queued) => self.queue.push(&run),
            _ => {}
        }
        if run.status == Status::Running && run.lease.is_some() {
            self.leased.insert(run.run_id);
            if run.stop.is_none() {
                self.not_stopping.insert(run.run_id);
            }
        }
        self.due.extend(due(&run).map(|at| (at, run.run_id)));
        self.runs.insert(run.run_id, run);
    }

    /// Takes an execution out, but for its place in the queue.
    fn remove(&mut self, run_id: RunId) -> Option<Execution> {
        let run = self.runs.remove(&run_id)?;
        self.leased.remove(&run_id);
        self.not_stopping.remove(&run_id);
        if let Some(at) = due(&run) {
            self.due.remove(&(at, run_id));
        }
        Some(run)
    }

    /// Adds one who runs to those who hold the location, if they are known.
    pub fn add_holder(&mut self, run: &Execution) {
        if let Some(holders) = &mut self.holders {
            holders.add(Holder::of(run));
        }
    }

    pub fn remove_holder(&mut self, run_id: RunId) {
        if let Some(holders) = &mut self.holders {
            holders.remove(run_id);
        }
    }

    /// Gives an execution and its place among the holders the number that the database drew.
    pub fn number(&mut self, provisional: RunId, run_id: RunId) {
        if let Some(holders) = &mut self.holders {
            holders.number(provisional, run_id);
        }
        if let Some(run) = self.remove(provisional) {
            if run.status == Status::Queued {
                self.queue.remove(&run);
                self.forget_estimate();
            }
            self.put(Execution { run_id, ..run });
        }
    }

    /// Gives an execution back, and lets go of it unless it still waits or runs with a lease.
    pub fn settle(&mut self, run_id: RunId) -> Option<Execution> {
        let run = self.runs.get(&run_id)?;
        let stays = match run.status {
            Status::Queued => true,
            Status::Running => run.lease.is_some(),
            Status::Ended(_) => false,
        };
        if stays { Some(run.clone()) } else { self.remove(run_id) }
    }

    /// What was estimated may no longer hold.
    pub fn forget_estimate(&mut self) {
        self.estimate = None;
    }

    /// When each of those who wait will probably start. While nothing but heartbeats comes, what
    /// was estimated is given again for a second.
    pub fn estimate_starts(
        &mut self,
        location: &Location,
        registry: &Gate,
        now: Timestamp,
    ) -> Arc<HashMap<RunId, Timestamp>> {
        if let Some(estimate) = &self.estimate
            && estimate.registry == *registry
            && (estimate.at..estimate.at + ESTIMATE_HOLDS).contains(&now)
        {
            return Arc::clone(&estimate.starts);
        }
        let holders = self.holders.as_ref().map_or(&[][..], |holders| holders.first(usize::MAX));
        let starts = Arc::new(estimate_starts(location, registry, holders, self.queue.clone(), now));
        self.estimate = Some(Estimate { at: now, registry: registry.clone(), starts: Arc::clone(&starts) });
        starts
    }
}

/// When a waiter loses its place, unless it is heard of before, and why.
#[must_use]
pub fn due_end(run: &Execution) -> Option<(Timestamp, EndReason)> {
    run.place.as_ref().filter(|_| run.status == Status::Queued).map(Place::due)
}

fn due(run: &Execution) -> Option<Timestamp> {
    match run.status {
        Status::Queued => {
            let suspect = run.expected_by().filter(|_| !run.is_suspect());
            due_end(run).map(|(at, _)| at).into_iter().chain(suspect).min()
        }
        Status::Running if run.is_untold() => run.place.as_ref()?.tell_by,
        Status::Running => run.lease.as_ref()?.due(),
        Status::Ended(_) => None,
    }
}
