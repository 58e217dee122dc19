//! The location as the commands decided so far have left it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{MOST_HOLDERS_NAMED, Noted, Plan, Snapshot, Verdict, holder_order, provisional_index};
use crate::domain::answer::{Answer, Holder, Room};
use crate::domain::estimate::estimate_starts;
use crate::domain::event::{EventKind, Fact};
use crate::domain::execution::{EndReason, Execution, Outcome, Place, RunId, Status, Stop};
use crate::domain::factor::Factor;
use crate::domain::gate::{Gate, GateState};
use crate::domain::idempotency::{FirstAnswer, IdempotencyKey};
use crate::domain::lease::{Condition, Lease};
use crate::domain::location::Location;
use crate::domain::queue::Queue;

#[derive(Clone)]
pub struct Batch {
    pub now: Timestamp,
    pub location: Location,
    pub registry: Gate,
    pub runs: BTreeMap<RunId, Execution>,
    /// The executions in `runs` by their own id, to find registrations that an earlier attempt
    /// at this batch saved.
    pub ids: HashMap<Uuid, RunId>,
    /// What requests with a key were first answered with, by the hashes of their keys.
    pub first_answers: HashMap<String, (IdempotencyKey, Verdict)>,
    pub queue: Queue,
    /// How many executions are new.
    pub inserted: usize,
    /// Those that run with a lease.
    leased: BTreeSet<RunId>,
    holders: Vec<Holder>,
    touched: BTreeSet<RunId>,
    sightings: Vec<Vec<Holder>>,
    pub events: Vec<Noted>,
    /// Whether the last sighting still shows what runs.
    sighting_is_current: bool,
}

impl Batch {
    pub fn new(snapshot: &Snapshot, now: Timestamp) -> Self {
        let runs: BTreeMap<RunId, Execution> =
            snapshot.executions.iter().map(|run| (run.run_id, run.clone())).collect();
        let leased = |run: &&Execution| run.status == Status::Running && run.lease.is_some();
        Self {
            now,
            location: snapshot.location.clone(),
            registry: snapshot.registry.at(now),
            ids: runs.values().map(|run| (run.id, run.run_id)).collect(),
            first_answers: snapshot.first_answers.iter().map(first_answer).collect(),
            queue: Queue::new(runs.values().filter(|run| run.status == Status::Queued)),
            leased: runs.values().filter(leased).map(|run| run.run_id).collect(),
            runs,
            inserted: 0,
            holders: snapshot.holders.clone(),
            touched: BTreeSet::new(),
            sightings: Vec::new(),
            events: Vec::new(),
            sighting_is_current: false,
        }
    }

    /// Does what the time has made due, and starts whom that makes room for.
    pub fn catch_up(&mut self) {
        let gate = self.location.gate.at(self.now);
        if gate != self.location.gate {
            self.location.gate = gate;
            self.note(EventKind::LocationOpened, None, None, Vec::new());
        }
        self.drop_waiters();
        self.judge_leases();
        self.ask_to_stop();
        self.start_waiters();
    }

    fn drop_waiters(&mut self) {
        let due = |run: &&Execution| run.status == Status::Queued && due_end(run).is_some_and(|(at, _)| at <= self.now);
        let dropped: Vec<(RunId, EndReason)> =
            self.runs.values().filter(due).filter_map(|run| Some((run.run_id, due_end(run)?.1))).collect();
        for (run_id, reason) in dropped {
            self.end(run_id, Outcome::Cancelled, Some(reason), None);
        }
    }

    fn judge_leases(&mut self) {
        for run_id in self.leased.clone() {
            let run = &self.runs[&run_id];
            let Some(lease) = &run.lease else { continue };
            match lease.condition(self.now) {
                Condition::Live => {}
                Condition::Suspect if lease.suspect => {}
                Condition::Suspect => {
                    let lease = Some(Lease { suspect: true, ..lease.clone() });
                    let suspect = Execution { lease, version: run.version + 1, ..run.clone() };
                    let missed = run.lease.as_ref().and_then(|lease| lease.expires_at).map(Fact::Time);
                    let facts = missed.map(|missed| ("lease_expires_at", missed)).into_iter().collect();
                    self.note(EventKind::Suspect, Some(run_id), None, facts);
                    self.put(suspect);
                }
                Condition::Lost => self.end(run_id, Outcome::Failure, Some(EndReason::Lost), None),
            }
        }
    }

    /// Where everything is stopped, every run that can be told so is.
    pub fn ask_to_stop(&mut self) {
        let gate = self.gate().clone();
        if gate.state != GateState::Stopped {
            return;
        }
        let stop = Stop { reason: gate.reason.unwrap_or_default(), by: gate.by, at: self.now };
        for run_id in self.leased.clone() {
            self.ask_one_to_stop(run_id, &stop);
        }
    }

    /// The first request to stop is the one that stays.
    pub fn ask_one_to_stop(&mut self, run_id: RunId, stop: &Stop) {
        let run = &self.runs[&run_id];
        if run.stop.is_none() {
            let asked = Execution { stop: Some(stop.clone()), version: run.version + 1, ..run.clone() };
            let reason = Fact::Text(stop.reason.clone());
            self.note(EventKind::StopRequested, Some(run_id), stop.by.clone(), vec![("reason", reason)]);
            self.put(asked);
        }
    }

    /// Starts those who are first, as long as the first fits. Nobody overtakes.
    pub fn start_waiters(&mut self) {
        while self.gate().is_open()
            && let Some(waiter) = self.queue.pop_first_if_fits(&self.location, self.now)
        {
            self.location.fence += 1;
            let started = self.runs[&waiter.run_id].start(self.now, self.location.fence);
            self.run(started);
        }
    }

    /// Of the location's gate and the registry's, the one that holds more back.
    pub fn gate(&self) -> &Gate {
        self.location.gate.stricter(&self.registry)
    }

    /// Takes on an execution that runs from now on.
    pub fn run(&mut self, run: Execution) {
        self.note_start(&run);
        self.location.used = self.location.used + run.factor();
        self.location.running += 1;
        if run.lease.is_some() {
            self.leased.insert(run.run_id);
        }
        self.holders.push(Holder::of(&run));
        self.sighting_is_current = false;
        self.put(run);
    }

    /// Ends an execution that waits or runs, and gives back what it held.
    pub fn end(&mut self, run_id: RunId, outcome: Outcome, reason: Option<EndReason>, wish: Option<&Stop>) {
        let run = self.runs[&run_id].clone();
        let Ok(ended) = run.end(outcome, reason, self.now) else { return };
        if run.status == Status::Queued {
            self.queue.remove(&run);
        } else {
            self.location.used = self.location.used - run.factor();
            self.location.running -= 1;
            self.leased.remove(&run_id);
            self.holders.retain(|holder| holder.run_id != run_id);
            self.sighting_is_current = false;
        }
        self.note_end(&ended, wish);
        self.put(ended);
    }

    pub fn put(&mut self, run: Execution) {
        self.touched.insert(run.run_id);
        self.ids.insert(run.id, run.run_id);
        self.runs.insert(run.run_id, run);
    }

    /// The location as one sees it who asks for `factor` and has `ahead` waiters before them.
    pub fn room(&mut self, factor: Factor, ahead: usize) -> (Room, Option<usize>) {
        if !self.sighting_is_current {
            self.holders.sort_by_key(holder_order);
            self.sightings.push(self.holders.iter().take(MOST_HOLDERS_NAMED).cloned().collect());
            self.sighting_is_current = true;
        }
        let room = Room {
            location: self.location.name.clone(),
            capacity: self.location.capacity,
            running_factor: self.location.used,
            requested_factor: factor,
            running: self.location.running,
            ahead,
            gate: self.gate().clone(),
            closed_by_registry: !std::ptr::eq(self.gate(), &raw const self.location.gate),
            blocking: Arc::new([]),
            estimated_start: None,
        };
        (room, Some(self.sightings.len() - 1))
    }

    /// Brings those of the location's numbers up to date that follow from its executions.
    pub fn count(&mut self) {
        self.location.waiting = self.queue.len() as i64;
        self.location.leased = self.leased.len() as i64;
        self.location.next_due = self.next_due();
    }

    /// When each of those who wait will probably start.
    pub fn estimate_starts(&self) -> HashMap<RunId, Timestamp> {
        estimate_starts(&self.location, &self.registry, &self.holders, self.queue.clone(), self.now)
    }

    pub fn into_plan(mut self, before: &Location, mut verdicts: Vec<Verdict>) -> Plan {
        self.count();
        self.estimate(&mut verdicts);
        let changes_location = !self.touched.is_empty() || self.location != *before;
        self.location.version += i64::from(changes_location);
        let touched = |run: &Execution| self.touched.contains(&run.run_id);
        let (inserted, updated) =
            self.runs.into_values().filter(touched).partition(|run| provisional_index(run.run_id).is_some());
        let (events, sightings) = (self.events, self.sightings);
        Plan { location: self.location, inserted, updated, verdicts, events, sightings, changes_location }
    }

    /// Tells those who wait when they will probably start, once for all of them, by how things
    /// stand after the last command.
    fn estimate(&self, verdicts: &mut [Verdict]) {
        let mut starts = None;
        for verdict in verdicts {
            let answer = &mut verdict.answer;
            let is_repeated = matches!(answer, Answer::Again { .. });
            // What was answered before this batch is given again as it was.
            if let Some((run_id, room)) = answer.waiter_mut()
                && (!is_repeated || provisional_index(run_id).is_some())
            {
                let starts = starts.get_or_insert_with(|| self.estimate_starts());
                room.estimated_start = starts.get(&run_id).copied();
            }
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let registry = self.registry.until.filter(|_| !self.queue.is_empty());
        let runs = self.runs.values().filter_map(|run| match run.status {
            Status::Queued => due_end(run).map(|(at, _)| at),
            Status::Running => run.lease.as_ref()?.due(),
            Status::Ended(_) => None,
        });
        runs.chain(self.location.gate.until).chain(registry).chain(self.queue.next_step(self.now)).min()
    }
}

fn first_answer(first: &FirstAnswer) -> (String, (IdempotencyKey, Verdict)) {
    let verdict = Verdict { answer: first.answer.clone(), sighting: None };
    (first.key.hash.clone(), (first.key.clone(), verdict))
}

fn due_end(run: &Execution) -> Option<(Timestamp, EndReason)> {
    run.place.as_ref().map(Place::due)
}
