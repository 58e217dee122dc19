//! What clients were told, to be held against what the database says in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::execution::place::Place;
use perfreg::domain::execution::{EndReason, Execution, Outcome, RunId, Status};

use super::database::Database;
use super::trace::Trace;

#[derive(Default)]
pub struct Evidence {
    /// Which run a test was told to be, and with which secret.
    told: BTreeMap<String, (RunId, Option<String>)>,
    /// Tests of which it was said that nothing was done.
    not_done: Vec<String>,
    /// How runs ended, as their runners were told.
    ended: BTreeMap<RunId, Outcome>,
}

impl Evidence {
    /// A test was told its run_id, and its secret; a key always gives the same.
    pub fn told(&mut self, test: &str, run: &Execution, secret: Option<String>, trace: &Trace) {
        let told = (run.run_id, secret);
        trace.check(run.details.test == test, || format!("{test} was told of {}", run.details.test));
        let first = self.told.entry(test.to_owned()).or_insert_with(|| told.clone());
        trace.check(*first == told, || format!("{test} was told {first:?}, then {told:?}"));
    }

    pub fn not_done(&mut self, test: &str) {
        self.not_done.push(test.to_owned());
    }

    pub fn ended(&mut self, run_id: RunId, outcome: Outcome, trace: &Trace) {
        let first = *self.ended.entry(run_id).or_insert(outcome);
        trace.check(first == outcome, || format!("run {run_id} was said to end as {first:?}, then {outcome:?}"));
    }

    /// Everything that anybody was told is still so, and everything has come to its end.
    pub fn judge(&self, database: &Database, trace: &Trace) {
        for (test, (run_id, _)) in &self.told {
            let is_there = database.executions.get(run_id).is_some_and(|run| run.details.test == *test);
            trace.check(is_there, || format!("{test} was told to be run {run_id}, which is not there"));
        }
        for test in &self.not_done {
            let runs: Vec<RunId> = database.executions_named(test).map(|run| run.run_id).collect();
            trace.check(runs.is_empty(), || format!("nothing was done for {test}, but there is {runs:?}"));
        }
        for (run_id, outcome) in &self.ended {
            let status = database.executions.get(run_id).map(|run| run.status);
            let is_so = status == Some(Status::Ended(*outcome));
            trace.check(is_so, || format!("run {run_id} was said to end as {outcome:?}, and is {status:?}"));
        }
        for run in database.executions.values() {
            let ended = matches!(run.status, Status::Ended(_));
            trace.check(ended, || format!("run {} is {} for ever", run.run_id, run.status));
        }
        for (name, row) in &database.locations {
            let is_empty = (row.used, row.running, row.waiting, row.leased) == (Factor::ZERO, 0, 0, 0);
            trace.check(is_empty, || format!("{name:?} is never empty: {row:?}"));
        }
    }
}

/// Whoever is told that its run has ended by itself was silent, or had waited, for long enough.
pub fn check_end(run: &Execution, wait_seconds: u32, silent: Duration, trace: &Trace) {
    let seconds = run.lease.as_ref().map_or(0, |lease| lease.seconds);
    let end = run.end_time.unwrap_or(run.start_time);
    let waited =
        run.place.as_ref().map_or_else(Duration::default, |place| end.duration_since(place.queued_at).unsigned_abs());
    let ran = end.duration_since(run.start_time).unsigned_abs();
    let is_due = match run.end_reason {
        Some(EndReason::Lost) => silent.min(ran) >= 2 * Duration::from_secs(seconds.into()),
        Some(EndReason::NotHeard) => silent >= Place::SILENCE.unsigned_abs(),
        Some(EndReason::WaitTimeout) => waited >= Duration::from_secs(wait_seconds.into()),
        Some(EndReason::CannotFit) | None => true,
    };
    trace.check(is_due, || format!("run {} was given up after {silent:?} as {:?}", run.run_id, run.end_reason));
}
