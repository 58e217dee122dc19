//! Remembers who waits at a location and who runs there with a lease, so that they are not read
//! again while nothing has changed.
//!
//! Every change at a location writes its row, and with it a new version. What is remembered is
//! used only where the row, read under its lock, is the very one it was remembered with.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::admission::{Plan, Snapshot};
use crate::domain::execution::{Execution, RunId, Status};
use crate::domain::location::{Location, LocationName};

/// Past this many executions the memory is emptied: reading them again costs time, never
/// correctness.
const MOST_REMEMBERED: usize = 20_000;

#[derive(Debug, Default)]
pub struct KnownRuns(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    locations: HashMap<Option<LocationName>, (Location, Vec<Execution>)>,
    /// How many executions there are in all.
    count: usize,
}

impl KnownRuns {
    /// Takes out what is known of a location whose row looks like this.
    pub fn take(&self, location: &Location) -> Option<Vec<Execution>> {
        let mut memory = self.memory();
        let (row, runs) = memory.locations.remove(&location.name)?;
        memory.count -= runs.len();
        (row == *location).then_some(runs)
    }

    /// To be called once the plan is committed, or if it changes nothing.
    pub fn remember(&self, snapshot: Snapshot, plan: &Plan, run_ids: &[RunId]) {
        let mut runs: BTreeMap<RunId, Execution> =
            snapshot.executions.into_iter().map(|run| (run.run_id, run)).collect();
        let new = plan.inserted.iter().zip(run_ids).map(|(run, run_id)| Execution { run_id: *run_id, ..run.clone() });
        for run in plan.updated.iter().cloned().chain(new) {
            runs.insert(run.run_id, run);
        }
        runs.retain(|_, run| match run.status {
            Status::Queued => true,
            Status::Running => run.lease.is_some(),
            Status::Ended(_) => false,
        });
        if runs.is_empty() {
            return;
        }
        let mut memory = self.memory();
        if memory.count + runs.len() > MOST_REMEMBERED {
            *memory = Memory::default();
        }
        let location = plan.location.clone();
        memory.count += runs.len();
        let before = memory.locations.insert(location.name.clone(), (location, runs.into_values().collect()));
        memory.count -= before.map_or(0, |(_, runs)| runs.len());
    }

    /// After an error the database may be another than before, such as one that was restored.
    pub fn forget(&self) {
        *self.memory() = Memory::default();
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
