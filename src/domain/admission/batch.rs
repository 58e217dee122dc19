//! The location as the commands decided so far have left it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::plan::{MOST_HOLDERS_NAMED, Noted, Plan, Verdict, provisional_index};
use super::snapshot::Snapshot;
use crate::domain::answer::FirstAnswer;
use crate::domain::answer::{Answer, Holder, Room};
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::Location;
use crate::domain::continuity::Continuity;
use crate::domain::event::{EventKind, Fact};
use crate::domain::execution::idempotency::IdempotencyKey;
use crate::domain::execution::lease::{Condition, Lease};
use crate::domain::execution::{EndReason, Execution, Outcome, RunId, Status, Stop};
use crate::domain::gate::{Gate, GateState};
use crate::domain::schedule::roster::Roster;

pub struct Batch {
    pub now: Timestamp,
    pub location: Location,
    pub registry: Gate,
    continuity: Continuity,
    /// Everybody who waits or runs with a lease, and whom the commands name.
    pub roster: Roster,
    /// The executions that were named, by their own id, to find registrations that an earlier
    /// attempt at this batch saved.
    pub ids: HashMap<Uuid, RunId>,
    /// What requests with a key were first answered with, by the hashes of their keys.
    pub first_answers: HashMap<String, (IdempotencyKey, Verdict)>,
    /// How many executions are new.
    pub inserted: usize,
    /// The executions that have to be written, and whether they get another version.
    touched: BTreeMap<RunId, bool>,
    /// Those of them that the database does not have, under run_ids that it has drawn before.
    pub taken_back: BTreeSet<RunId>,
    /// Whom the commands name though they are at another location, which is not locked.
    pub elsewhere: BTreeSet<RunId>,
    sightings: Vec<Vec<Holder>>,
    pub events: Vec<Noted>,
    /// Whether the last sighting still shows what runs.
    sighting_is_current: bool,
}

impl Batch {
    pub fn new(snapshot: Snapshot, now: Timestamp) -> Self {
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            snapshot.named.into_iter().partition(|run| run.details.location == snapshot.location.name);
        let ids = here.iter().map(|run| (run.id, run.run_id)).collect();
        let mut roster = snapshot.roster;
        for run in here {
            roster.put(run);
        }
        Self {
            now,
            location: snapshot.location,
            registry: snapshot.registry.at(now),
            continuity: snapshot.continuity,
            roster,
            ids,
            first_answers: snapshot.first_answers.into_iter().map(first_answer).collect(),
            inserted: 0,
            touched: BTreeMap::new(),
            taken_back: BTreeSet::new(),
            elsewhere: elsewhere.iter().map(|run| run.run_id).collect(),
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
            self.roster.forget_estimate();
            self.note(EventKind::LocationOpened, None, None, Vec::new());
        }
        self.forgive_silence();
        let due = self.roster.due(self.now);
        self.drop_waiters(&due);
        self.judge_waiters(&due);
        self.judge_leases(&due);
        self.ask_to_stop();
        self.start_waiters();
    }

    /// Counts the silence of those from when the registry was back whom it could not hear, and of
    /// those who were heard at times that have not come yet, since the clock was set back.
    fn forgive_silence(&mut self) {
        if !self.is_unbroken() {
            return;
        }
        let mut silent = self.roster.all_after(self.continuity.resumed_at);
        silent.retain(|run_id| self.roster.get(*run_id).and_then(Execution::heard_at).is_some_and(|at| at > self.now));
        silent.extend(self.roster.due(self.now));
        for run in silent.into_iter().filter_map(|run_id| self.roster.get(run_id).cloned()).collect::<Vec<_>>() {
            let forgiven = run.heard_at().and_then(|heard_at| self.continuity.forgives(heard_at, self.now));
            if let Some(heard_at) = forgiven {
                self.put(run.counted_from(heard_at));
            }
        }
    }

    fn judge_leases(&mut self, due: &[RunId]) {
        if !self.is_unbroken() {
            return;
        }
        for run_id in due.iter().copied() {
            let runs = |run: &&Execution| run.status == Status::Running && !run.is_untold();
            let Some(run) = self.roster.get(run_id).filter(runs) else { continue };
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
        for run_id in self.roster.not_stopping() {
            match self.roster.get(run_id).filter(|run| run.is_untold()).cloned() {
                Some(untold) => self.withdraw_start(&untold, "gate"),
                None => self.ask_one_to_stop(run_id, &stop),
            }
        }
    }

    /// The first request to stop is the one that stays.
    pub fn ask_one_to_stop(&mut self, run_id: RunId, stop: &Stop) {
        if let Some(run) = self.roster.get(run_id).filter(|run| run.stop.is_none()) {
            let asked = Execution { stop: Some(stop.clone()), version: run.version + 1, ..run.clone() };
            let reason = Fact::Text(stop.reason.clone());
            self.note(EventKind::StopRequested, Some(run_id), stop.by.clone(), vec![("reason", reason)]);
            self.put(asked);
        }
    }

    pub fn is_unbroken(&self) -> bool {
        self.continuity.is_unbroken(self.now)
    }

    pub fn next_fence(&self) -> i64 {
        self.location.next_fence(self.continuity.fence_floor)
    }

    /// Of the location's gate and the registry's, the one that holds more back.
    pub fn gate(&self) -> &Gate {
        self.location.gate.stricter(&self.registry)
    }

    /// Whether that gate is closed and the registry's.
    pub fn is_closed_by_registry(&self) -> bool {
        !std::ptr::eq(self.gate(), &raw const self.location.gate)
    }

    /// Takes on an execution that runs from now on.
    pub fn run(&mut self, run: Execution) {
        self.note_start(&run);
        self.hold(run);
    }

    /// Counts a run as one of the location's.
    pub fn hold(&mut self, run: Execution) {
        self.location.is_new = false;
        self.location.used = self.location.used + run.factor();
        self.location.running += 1;
        self.roster.add_holder(&run);
        self.roster.forget_estimate();
        self.sighting_is_current = false;
        self.put(run);
    }

    /// Ends an execution that waits or runs, and gives back what it held.
    pub fn end(&mut self, run_id: RunId, outcome: Outcome, reason: Option<EndReason>, wish: Option<&Stop>) {
        let Some(run) = self.roster.get(run_id) else { return };
        let Ok(ended) = run.end(outcome, reason, self.now) else { return };
        if run.status == Status::Running {
            let run = run.clone();
            self.let_go(&run);
        }
        self.roster.forget_estimate();
        self.note_end(&ended, wish);
        self.put(ended);
    }

    /// Counts a run as one of the location's no more.
    pub fn let_go(&mut self, run: &Execution) {
        self.location.used = self.location.used - run.factor();
        self.location.running -= 1;
        self.roster.remove_holder(run.run_id);
        self.sighting_is_current = false;
    }

    pub fn put(&mut self, run: Execution) {
        let changes = self.roster.get(run.run_id).is_none_or(|before| before.version != run.version);
        *self.touched.entry(run.run_id).or_default() |= changes;
        self.roster.put(run);
    }

    /// The location as one sees it who asks for `factor` and has `ahead` waiters before them.
    pub fn room(&mut self, factor: Factor, ahead: usize) -> (Room, Option<usize>) {
        if !self.sighting_is_current {
            let holders = self.roster.holders();
            debug_assert!(holders.is_some(), "the store shows who holds the location wherever a room may be shown");
            self.sightings.push(holders.map_or_else(Vec::new, |holders| holders.first(MOST_HOLDERS_NAMED).to_vec()));
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
            closed_by_registry: self.is_closed_by_registry(),
            blocking: Arc::new([]),
            estimated_start: None,
        };
        (room, Some(self.sightings.len() - 1))
    }

    /// Brings those of the location's numbers up to date that follow from its executions.
    pub fn count(&mut self) {
        self.location.waiting = self.roster.queue().len() as i64;
        self.location.leased = self.roster.leased() as i64;
        self.location.next_due = self.next_due();
    }

    /// When each of those who wait will probably start.
    fn estimate_starts(&mut self) -> Arc<HashMap<RunId, Timestamp>> {
        self.roster.estimate_starts(&self.location, &self.registry, self.now)
    }

    pub fn into_plan(mut self, before: &Location, mut verdicts: Vec<Verdict>) -> Plan {
        self.count();
        self.estimate(&mut verdicts);
        let changes_location = !self.touched.is_empty() || self.location != *before;
        self.location.version += i64::from(changes_location);
        for named in self.ids.values().filter(|run_id| !self.touched.contains_key(run_id)) {
            self.roster.settle(*named);
        }
        let touched = self.touched.keys().filter_map(|run_id| self.roster.settle(*run_id));
        let is_new = |run: &Execution| provisional_index(run.run_id).is_some() || self.taken_back.contains(&run.run_id);
        let (mut inserted, updated): (Vec<_>, Vec<_>) = touched.partition(is_new);
        inserted.sort_by_key(|run| provisional_index(run.run_id).is_none());
        let changed = updated.iter().map(|run| run.run_id).filter(|run_id| self.touched[run_id]).collect();
        let Self { location, roster, events, sightings, .. } = self;
        let changes_anything = changes_location || !events.is_empty();
        Plan {
            location,
            inserted,
            updated,
            changed,
            roster,
            verdicts,
            events,
            sightings,
            changes_anything,
            changes_location,
        }
    }

    /// Tells those who wait when they will probably start, once for all of them, by how things
    /// stand after the last command.
    fn estimate(&mut self, verdicts: &mut [Verdict]) {
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
        let queue = self.roster.queue();
        let registry = self.registry.until.filter(|_| !queue.is_empty());
        let moments = [self.roster.next_due(), self.location.gate.until, registry, queue.next_step(self.now)];
        moments.into_iter().flatten().min()
    }
}

fn first_answer(first: FirstAnswer) -> (String, (IdempotencyKey, Verdict)) {
    let verdict = Verdict { answer: first.answer, sighting: None };
    (first.key.hash.clone(), (first.key, verdict))
}
