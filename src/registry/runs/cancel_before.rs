//! Withdraws everything at a location that started before some time.

use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::domain::admission::Command;
use crate::domain::answer::{Answer, Holder};
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::{Execution, RunId};
use crate::registry::read::browse::twice;
use crate::registry::{Registry, RegistryError};

/// So many are withdrawn by one call.
pub const MOST_CANCELLED: usize = 10_000;
/// As many as the location's next transaction takes.
const AT_ONCE: usize = 250;

/// Which runs are withdrawn, and why.
#[derive(Clone, Debug)]
pub struct CancelBefore {
    /// `None` stands for those that name no location.
    pub location: Option<LocationName>,
    pub started_before: Timestamp,
    pub reason: Option<String>,
    pub by: Option<String>,
    /// Only looks who they are.
    pub dry_run: bool,
}

/// Who they are, by run_id.
#[derive(Clone, Debug, Default)]
pub struct CancelledBefore {
    /// Those without a lease.
    pub ended: Vec<Holder>,
    /// Those with one hold their share until they have stopped.
    pub stopping: Vec<Holder>,
    /// Whether there are more than one call withdraws.
    pub more: bool,
}

impl Registry {
    /// Ends the runs without a lease that started there before then, and asks the others to stop. What waits is left alone,
    /// and so is what starts while others end.
    ///
    /// # Errors
    /// If the database did not answer; some may then have been withdrawn, and asking again withdraws the rest.
    pub async fn cancel_before(&self, cancel: &CancelBefore) -> Result<CancelledBefore, RegistryError> {
        let (mut cancelled, run_ids) = self.foresee(cancel).await?;
        if cancel.dry_run {
            return Ok(cancelled);
        }
        (cancelled.ended, cancelled.stopping) = (Vec::new(), Vec::new());
        let location = &cancel.location;
        for run_ids in run_ids.chunks(AT_ONCE) {
            let withdrawn = run_ids.iter().map(|run_id| self.lanes.submit(location.clone(), command(cancel, *run_id)));
            for answer in try_join_all(withdrawn).await? {
                cancelled.note(&answer);
            }
        }
        let location = location.as_ref().map(LocationName::as_str);
        let (before, by) = (cancel.started_before, cancel.by.as_deref());
        let (ended, stopping) = (cancelled.ended.len(), cancelled.stopping.len());
        tracing::info!(location, %before, by, "cancelled {ended} runs that started before, and asked {stopping} to stop");
        Ok(cancelled)
    }

    /// Who they are now, and what would become of each.
    async fn foresee(&self, cancel: &CancelBefore) -> Result<(CancelledBefore, Vec<RunId>), RegistryError> {
        let CancelBefore { location, started_before, .. } = cancel;
        let (mut foreseen, mut run_ids) = (CancelledBefore::default(), Vec::new());
        loop {
            let after = run_ids.last().copied();
            let running =
                twice(|| self.store.running_before(location.as_ref(), *started_before, after, AT_ONCE)).await?;
            foreseen.more = run_ids.len() >= MOST_CANCELLED && !running.is_empty();
            if running.is_empty() || foreseen.more {
                return Ok((foreseen, run_ids));
            }
            for run in &running {
                foreseen.add(run);
                run_ids.push(run.run_id);
            }
        }
    }
}

fn command(cancel: &CancelBefore, run_id: RunId) -> Command {
    Command::CancelStartedBefore {
        run_id,
        before: cancel.started_before,
        reason: cancel.reason.clone(),
        by: cancel.by.clone(),
    }
}

impl CancelledBefore {
    /// As what would become of it.
    fn add(&mut self, run: &Execution) {
        if run.has_to_stop_first() { &mut self.stopping } else { &mut self.ended }.push(Holder::of(run));
    }

    /// As what has become of it. One that has succeeded or failed meanwhile is in neither list; one that somebody else
    /// has cancelled meanwhile is as it was asked for, and is listed.
    fn note(&mut self, answer: &Answer) {
        match answer {
            Answer::Ended(run) => self.ended.push(Holder::of(run)),
            Answer::Stopping(run) => self.stopping.push(Holder::of(run)),
            _ => {}
        }
    }
}
