//! Lists and look-ups.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Registry, RegistryError};
use crate::domain::execution::{Execution, RunId};
use crate::domain::history::{Cursor, Filter, Page};
use crate::store::{Store, StoreError};

/// The most executions on one page that a client asks for.
pub const MOST_PER_PAGE: usize = 1_000;
/// How many executions of a list of any length are in memory at once: with the largest extras
/// they are 4 MiB.
const READ_AT_ONCE: usize = 250;

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

    /// All executions from `after` on, a page at a time: constant memory, and no connection is
    /// held while a slow reader takes its time.
    #[must_use]
    pub fn all_executions(&self, filter: Filter, after: Option<Cursor>) -> ExecutionPages {
        ExecutionPages { store: Arc::clone(&self.store), filter, after, is_over: false }
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
    store: Arc<dyn Store>,
    filter: Filter,
    /// The end of the page before.
    after: Option<Cursor>,
    is_over: bool,
}

impl ExecutionPages {
    /// The executions of the next page; `None` after the last.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn next(&mut self) -> Result<Option<Vec<Execution>>, RegistryError> {
        if self.is_over {
            return Ok(None);
        }
        let page = read_page(&self.store, &self.filter, self.after, READ_AT_ONCE).await?;
        self.after = page.next;
        self.is_over = page.next.is_none();
        Ok(Some(page.executions))
    }
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
pub(super) async fn twice<'a, T>(read: impl Fn() -> BoxFuture<'a, Result<T, StoreError>>) -> Result<T, RegistryError> {
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
