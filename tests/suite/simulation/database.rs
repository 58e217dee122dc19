//! The database of the simulated world: rows in memory, in front of which stands the real rule.
//! Every transaction is judged by what it did to the rows, without asking the rule again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use perfreg::domain::admission::keyed;
use perfreg::domain::admission::{Command, Outcomes, Snapshot, decide};
use perfreg::domain::answer::FirstAnswer;
use perfreg::domain::answer::{Answer, Holder};
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::{Location, LocationName, row_name};
use perfreg::domain::continuity::{Continuity, Pulse};
use perfreg::domain::execution::{Execution, RunId, Status};
use perfreg::domain::gate::Gate;
use perfreg::domain::schedule::holders::Holders;
use perfreg::domain::schedule::queue::Queue;
use perfreg::domain::schedule::roster::Roster;
use perfreg::store::{Batch, Decided, Lane};
use uuid::Uuid;

use super::trace::{Trace, Who};

pub struct Database {
    pub registry: Gate,
    continuity: Continuity,
    pub locations: BTreeMap<String, Location>,
    pub executions: BTreeMap<RunId, Execution>,
    ids: HashMap<Uuid, RunId>,
    first_answers: HashMap<String, FirstAnswer>,
    last_run_id: i64,
    /// When an execution last reached another version.
    pub changed_at_ms: HashMap<RunId, u128>,
    trace: Arc<Trace>,
}

impl Database {
    pub fn new(trace: Arc<Trace>) -> Self {
        Self {
            registry: Gate::OPEN,
            continuity: Continuity::default(),
            locations: BTreeMap::new(),
            executions: BTreeMap::new(),
            ids: HashMap::new(),
            first_answers: HashMap::new(),
            last_run_id: 0,
            changed_at_ms: HashMap::new(),
            trace,
        }
    }

    /// One transaction. Nothing is done for the lanes that are held.
    pub fn decide(&mut self, batch: &Batch, held: &[bool], now: Timestamp) -> Decided {
        let mut changed = Vec::new();
        let lanes = batch.lanes.iter().zip(held);
        let answers = lanes
            .map(|(lane, held)| (!held).then(|| self.decide_lane(lane, batch.is_retry, now, &mut changed)))
            .collect();
        Decided { answers, changed, ..Decided::default() }
    }

    /// Writes down that it is there, if that is due.
    pub fn pulse(&mut self, now: Timestamp) -> Pulse {
        let is_idle = self.locations.values().all(|location| location.waiting + location.leased == 0);
        let pulse = self.continuity.pulse(is_idle, now);
        let pulse = pulse.unwrap_or(Pulse { continuity: self.continuity, event: None });
        self.continuity = pulse.continuity;
        pulse
    }

    /// A transaction that is rolled back leaves a gap.
    pub fn skip_run_ids(&mut self, count: i64) {
        self.last_run_id += count;
    }

    pub fn executions_named(&self, test: &str) -> impl Iterator<Item = &Execution> {
        self.executions.values().filter(move |run| run.details.test == test)
    }

    fn here(&self, location: Option<&LocationName>) -> impl Iterator<Item = &Execution> {
        self.executions.values().filter(move |run| run.details.location.as_ref() == location)
    }

    fn snapshot(&self, lane: &Lane, is_retry: bool) -> Snapshot {
        let name = lane.location.as_ref();
        let unused = || Location::unused(lane.location.clone());
        let location = self.locations.get(row_name(name)).cloned().unwrap_or_else(unused);
        let leased = |run: &&Execution| run.status == Status::Running && run.lease.is_some();
        let stays = |run: &&Execution| run.status == Status::Queued || leased(run);
        let mut roster = Roster::new(self.here(name).filter(stays).cloned().collect());
        let running = self.here(name).filter(|run| run.status == Status::Running).map(Holder::of);
        roster.set_holders(Holders::new(running.collect(), location.running));
        let named = lane.commands.iter().filter_map(|command| match command {
            Command::Register(registration) if is_retry => self.ids.get(&registration.id).copied(),
            command => command.run_id().filter(|run_id| roster.get(*run_id).is_none()),
        });
        let named = named.filter_map(|run_id| self.executions.get(&run_id).cloned()).collect();
        let keys = lane.commands.iter().filter_map(Command::key);
        let first_answers = keys.filter_map(|key| self.first_answers.get(&key.hash).cloned()).collect();
        let continuity = self.continuity;
        Snapshot { location, registry: self.registry.clone(), continuity, roster, named, first_answers }
    }

    fn decide_lane(&mut self, lane: &Lane, is_retry: bool, now: Timestamp, changed: &mut Vec<RunId>) -> Vec<Answer> {
        let before: Vec<Execution> = self.here(lane.location.as_ref()).cloned().collect();
        let mut plan = decide(self.snapshot(lane, is_retry), &lane.commands, now);
        let first = self.last_run_id + 1;
        self.last_run_id += plan.inserted.len() as i64;
        let run_ids: Vec<RunId> = (first..=self.last_run_id).map(RunId).collect();
        let inserted = plan.inserted.iter().zip(&run_ids);
        let inserted: Vec<Execution> =
            inserted.map(|(run, run_id)| Execution { run_id: *run_id, ..run.clone() }).collect();
        changed.extend(&plan.changed);
        for run in inserted.into_iter().chain(plan.updated.iter().cloned()) {
            let version = self.executions.get(&run.run_id).map(|was| was.version);
            if version.is_none() {
                self.ids.insert(run.id, run.run_id);
                let namesakes = self.executions_named(&run.details.test).count();
                self.trace.check(namesakes == 0, || format!("{} was registered twice", run.details.test));
            }
            if version != Some(run.version) {
                self.changed_at_ms.insert(run.run_id, self.trace.milliseconds());
            }
            self.executions.insert(run.run_id, run);
        }
        if plan.changes_location() {
            self.locations.insert(row_name(lane.location.as_ref()).to_owned(), plan.location.clone());
        }
        let Outcomes { answers, .. } = plan.take_outcomes(&run_ids);
        for (key, answer) in keyed(&lane.commands, &answers) {
            let first_answer = FirstAnswer { key: key.clone(), answer: answer.clone() };
            self.first_answers.insert(key.hash.clone(), first_answer);
        }
        self.judge(lane, &before, now);
        answers
    }

    /// Looks at what a transaction has done to the rows of its location.
    fn judge(&self, lane: &Lane, before: &[Execution], now: Timestamp) {
        let name = row_name(lane.location.as_ref());
        let Some(location) = self.locations.get(name) else { return };
        let after: Vec<&Execution> = self.here(lane.location.as_ref()).collect();
        let running = || after.iter().filter(|run| run.status == Status::Running);
        let used: Factor = running().map(|run| run.factor()).sum();
        let counts = (location.used, location.running, location.waiting);
        let waiting = after.iter().filter(|run| run.status == Status::Queued).count() as i64;
        let counted = (used, running().count() as i64, waiting);
        self.trace.check(counts == counted, || format!("the row of {name:?} says {counts:?}, its runs {counted:?}"));

        let was = |run: &Execution| before.iter().find(|was| was.run_id == run.run_id);
        let mut started: Vec<&Execution> = after
            .iter()
            .copied()
            .filter(|run| run.fence.is_some() && was(run).is_none_or(|was| was.fence.is_none()))
            .collect();
        started.sort_by_key(|run| run.fence);
        let sets = lane.commands.iter().any(|command| matches!(command, Command::SetLocation { .. }));
        let fits = location.name.is_none() || used < location.capacity;
        let over = || format!("{used} runs at {name:?}, whose capacity is {}", location.capacity);
        self.trace.check(started.is_empty() || sets || fits, over);
        let is_open = self.registry.at(now).is_open() && location.gate.at(now).is_open();
        self.trace.check(started.is_empty() || sets || is_open, || format!("a closed gate let runs start at {name:?}"));
        let highest = before.iter().filter_map(|run| run.fence).max().unwrap_or_default();
        let fences: Vec<i64> = started.iter().filter_map(|run| run.fence).collect();
        // A start that was withdrawn leaves a gap.
        let grow = fences.iter().try_fold(highest, |last, fence| (*fence > last).then_some(*fence)).is_some();
        self.trace.check(grow, || format!("after fence {highest} came {fences:?} at {name:?}"));
        for run in &after {
            let stays = was(run).is_none_or(|was| !matches!(was.status, Status::Ended(_)) || was == *run);
            self.trace.check(stays, || format!("run {} had ended, and has changed", run.run_id));
            if was(run).is_none_or(|was| was.version != run.version) {
                self.trace.note(Who::Database, run.status.as_str(), run.run_id.0);
            }
        }
        self.judge_order(before, &started, now);
    }

    /// Whoever starts was the first of those who waited.
    fn judge_order(&self, before: &[Execution], started: &[&Execution], now: Timestamp) {
        // One that was passed over and has started was heard of, and so was in its place again.
        let heard = |run: &Execution| {
            let is_back = run.is_suspect() && started.iter().any(|other| other.run_id == run.run_id);
            if is_back { run.heard_waiting(SignedDuration::ZERO, now) } else { run.clone() }
        };
        let before: Vec<Execution> = before.iter().map(heard).collect();
        let mut queue = Queue::new(before.iter().filter(|run| run.status == Status::Queued));
        for run in started {
            let waits = before.iter().find(|was| was.run_id == run.run_id).cloned();
            let waits = waits.or_else(|| run.place.is_some().then(|| run.as_queued()));
            if let Some(waits) = waits.as_ref().filter(|_| !before.iter().any(|was| was.run_id == run.run_id)) {
                queue.push(waits);
            }
            while let Some(first) = queue.first(now).map(|waiter| waiter.run_id)
                && first != run.run_id
            {
                let gone = &self.executions[&first];
                let left = (matches!(gone.status, Status::Ended(_)) || gone.is_suspect()) && gone.fence.is_none();
                self.trace.check(left, || format!("run {} overtook run {first}", run.run_id));
                queue.pop_first(now);
            }
            if let Some(waits) = &waits {
                queue.remove(waits);
            }
        }
    }
}
