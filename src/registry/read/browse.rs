//! Lists and look-ups.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};

use crate::domain::execution::{Execution, RunId};
use crate::domain::history::{Cursor, Filter, Page, SearchField};
use crate::registry::{Registry, RegistryError};
use crate::store::{Store, StoreError};

/// The most executions on one page that a client asks for.
pub const MOST_PER_PAGE: usize = 1_000;
/// How many executions of a list of any length are read first; with the largest extras they are 4 MiB.
const READ_AT_FIRST: usize = 250;
/// Then as many as these bytes, by the page before, between these bounds.
const BYTES_AT_ONCE: usize = 512 * 1024;
const FEWEST_AT_ONCE: usize = 32;
/// How many pages of a list of any length are read before they are asked for.
const PAGES_AHEAD: usize = 2;

impl Registry {
    /// # Errors
    /// If the database did not answer.
    pub async fn execution(&self, run_id: RunId) -> Result<Option<Execution>, RegistryError> {
        twice(|| self.store.execution(run_id)).await
    }

    /// One page, newest first; `limit` counts up to [`MOST_PER_PAGE`].
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn executions(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, RegistryError> {
        read_page(&self.store, filter, after, limit.min(MOST_PER_PAGE)).await
    }

    /// All executions from `after` on, a page at a time, the next ones read while the one before is
    /// sent: constant memory, and no connection is held while a slow reader takes its time.
    #[must_use]
    pub fn all_executions(&self, filter: Filter, after: Option<Cursor>) -> ExecutionPages {
        let (sender, pages) = mpsc::channel(PAGES_AHEAD);
        let mut reading = JoinSet::new();
        reading.spawn(read_all(Arc::clone(&self.store), filter, after, sender));
        ExecutionPages { pages, reading }
    }

    /// Whether the database answers and can be written to.
    ///
    /// # Errors
    /// If it does not.
    pub async fn check_database(&self) -> Result<(), RegistryError> {
        Ok(self.store.ping().await?)
    }
}

pub struct ExecutionPages {
    pages: mpsc::Receiver<Result<Vec<Execution>, RegistryError>>,
    /// The task that reads them; ends with this.
    reading: JoinSet<()>,
}

impl ExecutionPages {
    /// The executions of the next page; `None` after the last.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn next(&mut self) -> Result<Option<Vec<Execution>>, RegistryError> {
        if let Some(page) = self.pages.recv().await {
            // What now has room to read on waits for this task to pause; no other thread takes it over.
            yield_now().await;
            return page.map(Some);
        }
        // A list cut short must not look whole.
        let ended = self.reading.join_next().await.transpose();
        ended.map(|_| None).map_err(|error| RegistryError::Broken(error.to_string()))
    }
}

/// Reads as far ahead as there is room, up to the last page or the first error.
async fn read_all(
    store: Arc<dyn Store>,
    filter: Filter,
    mut after: Option<Cursor>,
    pages: mpsc::Sender<Result<Vec<Execution>, RegistryError>>,
) {
    let mut limit = READ_AT_FIRST;
    while let Ok(room) = pages.reserve().await {
        let page = read_page(&store, &filter, after, limit).await;
        after = page.as_ref().ok().and_then(|page| page.next);
        limit = page.as_ref().map_or(limit, |page| next_limit(&page.executions));
        room.send(page.map(|page| page.executions));
        if after.is_none() {
            break;
        }
    }
}

fn next_limit(page: &[Execution]) -> usize {
    let bytes = |execution: &Execution| {
        let texts = SearchField::ALL.iter().filter_map(|field| field.of(&execution.details));
        texts.map(str::len).sum::<usize>() + execution.details.extra.len()
    };
    let bytes_per_execution = (page.iter().map(bytes).sum::<usize>() / page.len().max(1)).max(1);
    (BYTES_AT_ONCE / bytes_per_execution).clamp(FEWEST_AT_ONCE, MOST_PER_PAGE)
}

async fn read_page(
    store: &Arc<dyn Store>,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page, RegistryError> {
    twice(|| store.executions(filter, after, limit)).await
}

/// Reads again once: after the database was restarted, the first word on a pooled connection
/// finds it closed.
pub(in crate::registry) async fn twice<'a, T>(
    read: impl Fn() -> BoxFuture<'a, Result<T, StoreError>>,
) -> Result<T, RegistryError> {
    let unavailable = |error: StoreError| match error {
        // A read has no outcome that could be unknown.
        StoreError::CommitUnknown(reason) => RegistryError::Unavailable(reason),
        error => error.into(),
    };
    match read().await {
        Err(StoreError::Unavailable(_) | StoreError::Conflict(_)) => read().await.map_err(unavailable),
        result => result.map_err(unavailable),
    }
}
