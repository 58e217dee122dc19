//! Waiting for an execution to change.
//!
//! A commit on this replica wakes its watchers at once, unless a runner was only heard of. What other replicas
//! changed is found by asking the database which locations have another version, and which of the executions
//! that are watched there. The wake-up is only a hint: whoever wakes reads the execution again, one for all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::domain::execution::{Execution, RunId, Status};
use crate::registry::{Registry, RegistryError};

/// How much longer than it wanted a watcher waits for what stands in the database at the end.
const LAST_LOOK: Duration = Duration::from_secs(1);

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

impl Registry {
    /// Waits until the execution has changed, at most for `patience`, and gives it as it is then.
    /// Where nobody says what to wait for, it is news since the beginning.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn watch(
        &self,
        run_id: RunId,
        until: Option<Until>,
        patience: Duration,
    ) -> Result<Option<Arc<Execution>>, RegistryError> {
        let give_up = Instant::now() + patience;
        let watching = self.watchers.watch(run_id);
        let mut until = until;
        loop {
            let news = watching.watched.news();
            let Some(execution) = watching.look(self.execution(run_id)).await? else {
                return Ok(None);
            };
            let until = *until.get_or_insert(Until::News(execution.status));
            if until.is_reached(&execution) || self.watchers.is_released() {
                return Ok(Some(execution));
            }
            let held = self.metrics.http.enter_held_call();
            let is_over = timeout_at(give_up, news).await.is_err();
            drop(held);
            if is_over {
                // Its runner may have been heard of since. What is in hand serves where nothing answers.
                watching.watched.outdate();
                let last_look = timeout(LAST_LOOK, watching.look(self.execution(run_id))).await;
                return Ok(last_look.ok().and_then(Result::ok).unwrap_or(Some(execution)));
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
        let places = self.watchers.places();
        if places.is_empty() {
            return Ok(());
        }
        // The locations first: what changes after that is found the next time.
        let now: HashMap<_, _> = self.store.location_versions(&places).await?.into_iter().collect();
        let suspects = self.watchers.suspects(&now);
        if !suspects.is_empty() {
            let changed = self.store.changed(&suspects).await.inspect_err(|_| self.watchers.suspect_all())?;
            self.watchers.wake(&changed);
        }
        self.watchers.note_told(now);
        Ok(())
    }
}
