//! Waiting for an execution to change.
//!
//! A commit on this replica wakes its watchers at once. Changes on other replicas are found by
//! asking the database which of the watched executions have another version, all in one query.
//! The wake-up is only a hint: whoever wakes reads the execution again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::{Registry, RegistryError};
use crate::domain::execution::{Execution, RunId, Status};

/// What a watcher waits for.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// Another version than this one.
    NotVersion(i64),
    /// A waiter no longer waits; a runner must stop or has ended.
    News(Status),
}

impl Until {
    fn is_reached(self, execution: &Execution) -> bool {
        match self {
            Self::NotVersion(version) => execution.version != version,
            Self::News(Status::Queued) => execution.status != Status::Queued,
            Self::News(_) => execution.stop.is_some() || matches!(execution.status, Status::Ended(_)),
        }
    }
}

#[derive(Default)]
pub struct Watchers {
    watched: Mutex<HashMap<RunId, Watched>>,
    /// Whether the server stops, so that nobody may be held any longer.
    released: AtomicBool,
}

struct Watched {
    /// The version that was read last; another one in the database is news.
    version: i64,
    wake: watch::Sender<()>,
}

impl Watchers {
    fn entries(&self) -> MutexGuard<'_, HashMap<RunId, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self, run_id: RunId) -> watch::Receiver<()> {
        let new = || Watched { version: 0, wake: watch::Sender::new(()) };
        self.entries().entry(run_id).or_insert_with(new).wake.subscribe()
    }

    fn note_version(&self, run_id: RunId, version: i64) {
        if let Some(watched) = self.entries().get_mut(&run_id)
            && std::mem::replace(&mut watched.version, version) != version
        {
            // Others who watch it have not read this version, and would not be told of it again.
            watched.wake.send_replace(());
        }
    }

    /// Wakes who watches these executions.
    pub fn wake(&self, run_ids: &[RunId]) {
        let entries = self.entries();
        for watched in run_ids.iter().filter_map(|run_id| entries.get(run_id)) {
            watched.wake.send_replace(());
        }
    }

    fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
        self.entries().values().for_each(|watched| {
            watched.wake.send_replace(());
        });
    }

    /// The watched executions and the versions that were read last.
    fn versions(&self) -> Vec<(RunId, i64)> {
        let mut entries = self.entries();
        entries.retain(|_, watched| watched.wake.receiver_count() > 0);
        entries.iter().map(|(run_id, watched)| (*run_id, watched.version)).collect()
    }
}

impl Registry {
    /// Waits until the execution has changed, at most for `patience`, and gives it as it is then.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn watch(
        &self,
        run_id: RunId,
        until: Until,
        patience: Duration,
    ) -> Result<Option<Execution>, RegistryError> {
        let give_up = Instant::now() + patience;
        let mut news = self.watchers.subscribe(run_id);
        loop {
            let Some(execution) = self.execution(run_id).await? else {
                return Ok(None);
            };
            self.watchers.note_version(run_id, execution.version);
            let is_over = until.is_reached(&execution) || self.watchers.released.load(Ordering::SeqCst);
            if is_over || timeout_at(give_up, news.changed()).await.is_err() {
                return Ok(Some(execution));
            }
        }
    }

    /// Answers everybody who is held with what there is, and ends the streams; the server stops.
    pub fn release_watchers(&self) {
        self.watchers.release();
        self.tail.release();
    }

    /// Wakes the watchers of executions that another replica changed.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn find_changes(&self) -> Result<(), RegistryError> {
        let versions = self.watchers.versions();
        if !versions.is_empty() {
            self.watchers.wake(&self.store.changed(&versions).await?);
        }
        Ok(())
    }
}
