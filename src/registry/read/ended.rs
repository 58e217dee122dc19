//! What ended last.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::browse::twice;
use crate::domain::event::{EventFilter, EventKind, Order};
use crate::domain::execution::{Execution, RunId, Status};
use crate::domain::history::Filter;
use crate::registry::{Registry, RegistryError};

/// How many of the newest events are looked through.
const EVENTS_LOOKED_AT: usize = 200;
/// How many of those that started last are looked through, where the events tell of too few.
const STARTS_LOOKED_AT: usize = 100;

impl Registry {
    /// The last that ended, at most so many, the latest end first.
    ///
    /// Whatever there is in the database, as much of it is read: the newest events, which tell of ends, and then the
    /// executions that started last. An end that neither tells of is left out.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn ended_last(&self, most: usize) -> Result<Vec<Execution>, RegistryError> {
        let mut ended = Vec::new();
        for run_id in self.told_ends(most).await? {
            ended.extend(self.execution(run_id).await?);
        }
        if ended.len() < most {
            let page = self.executions(&Filter::default(), None, STARTS_LOOKED_AT).await?;
            let known: HashSet<RunId> = ended.iter().map(|run| run.run_id).collect();
            ended.extend(page.executions.into_iter().filter(|run| !known.contains(&run.run_id)));
        }
        ended.retain(|run| matches!(run.status, Status::Ended(_)) && run.end_time.is_some());
        ended.sort_by_key(|run| Reverse((run.end_time, run.run_id)));
        ended.truncate(most);
        Ok(ended)
    }

    /// The runs of which the newest events tell that they ended, each once.
    async fn told_ends(&self, most: usize) -> Result<Vec<RunId>, RegistryError> {
        let everything = EventFilter::default();
        let events = twice(|| self.store.events(&everything, None, Order::NewestFirst, EVENTS_LOOKED_AT)).await?;
        let mut known = HashSet::new();
        let ends = events.into_iter().filter(|event| event.kind == EventKind::Ended.as_str());
        let runs = ends.filter_map(|event| event.run_id).filter(|run_id| known.insert(*run_id));
        Ok(runs.take(most).collect())
    }
}
