//! SQLite: one file, one writer thread, a few readers.

mod admission;
mod audit;
mod backup;
mod board;
mod claim;
mod connection;
mod events;
mod executions;
mod idempotency;
mod locations;
mod merge;
mod migrate;
mod profiles;
mod pulse;
mod restore;
mod rows;
mod search;
#[cfg(test)]
mod search_tests;
mod usage;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{AuditPage, Batch, Decided, Known, Merge, Merged, SettledEvents, Store, StoreError};
use crate::clock::Clock;
use crate::domain::adopted::AdoptedAt;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::continuity::Pulse;
use crate::domain::event::{EventFilter, EventId, Order, SavedEvent};
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;
use crate::domain::history::{Cursor, Filter, Page};
use crate::domain::schedule::board::BoardSnapshot;
use crate::domain::schedule::estimate::Alike;
use crate::domain::usage::Usage;
use crate::metrics::{ConnectionCount, DatabaseMetrics};
use connection::{Readers, Writer};

pub use backup::{Contents, Progress, backup};
pub use claim::Claim;
pub use restore::{Restored, restore};

pub struct SqliteStore {
    path: PathBuf,
    clock: Clock,
    open: OnceLock<Open>,
    metrics: Arc<DatabaseMetrics>,
}

struct Open {
    writer: Writer,
    readers: Readers,
    known: Arc<Known>,
    /// Whether the disk had no room for the last decision.
    is_full: AtomicBool,
}

impl SqliteStore {
    pub fn new(path: &Path, clock: Clock) -> Self {
        let metrics = Arc::new(DatabaseMetrics::with_errors(StoreError::KINDS));
        Self { path: path.to_owned(), clock, open: OnceLock::new(), metrics }
    }

    fn ready(&self) -> Result<&Open, StoreError> {
        self.open.get().ok_or_else(|| StoreError::Unavailable("the database file is not open yet".to_owned()))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn prepare(&self) -> Result<(), StoreError> {
        if self.open.get().is_some() {
            return Ok(());
        }
        let writer = Writer::start(&self.path, Arc::clone(&self.metrics))?;
        let path = self.path.clone();
        writer.run(move |connection| migrate::migrate(connection, &path)).await?;
        let (readers, is_full) = (Readers::new(&self.path, Arc::clone(&self.metrics)), AtomicBool::new(false));
        let open = Open { writer, readers, known: Arc::default(), is_full };
        // Whoever was first has opened the same file; the second pair of hands is let go.
        drop(self.open.set(open));
        Ok(())
    }

    /// The readers go first: the last connection that closes moves what the `-wal` file holds into the database.
    async fn close(&self) {
        if let Some(open) = self.open.get() {
            open.readers.close().await;
            open.writer.close().await;
        }
    }

    async fn decide(&self, batch: &Batch) -> Result<Decided, StoreError> {
        let open = self.ready()?;
        let (batch, clock, known) = (batch.clone(), self.clock.clone(), Arc::clone(&open.known));
        let decided = open
            .writer
            .run(move |connection| {
                admission::decide(connection, &batch, &clock, &known).inspect_err(|_| known.forget())
            })
            .await;
        open.is_full.store(matches!(decided, Err(StoreError::Full(_))), Ordering::Relaxed);
        decided
    }

    /// The file has one writer.
    fn transactions_at_once(&self) -> usize {
        1
    }

    async fn execution(&self, run_id: RunId) -> Result<Option<Execution>, StoreError> {
        self.ready()?.readers.run(move |connection| executions::one(connection, run_id)).await
    }

    async fn executions(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        let filter = filter.clone();
        self.ready()?.readers.run(move |connection| executions::page(connection, &filter, after, limit)).await
    }

    async fn running_before(
        &self,
        location: Option<&LocationName>,
        before: Timestamp,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<Execution>, StoreError> {
        let location = location.cloned();
        let running =
            move |connection: &_| executions::running_before(connection, location.as_ref(), before, after, limit);
        self.ready()?.readers.run(running).await
    }

    async fn adopted(&self) -> Result<Vec<AdoptedAt>, StoreError> {
        self.ready()?.readers.run(executions::adopted).await
    }

    async fn board(&self, location: Option<&LocationName>, most: usize) -> Result<BoardSnapshot, StoreError> {
        let location = location.cloned();
        self.ready()?.readers.run(move |connection| board::read(connection, location.as_ref(), most)).await
    }

    async fn runs_between(
        &self,
        location: &LocationName,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Execution>, StoreError> {
        let location = location.clone();
        self.ready()?.readers.run(move |connection| board::runs_between(connection, &location, from, to, limit)).await
    }

    async fn due(&self, any: bool) -> Result<Vec<Option<LocationName>>, StoreError> {
        let now = self.clock.now();
        self.ready()?.readers.run(move |connection| locations::due(connection, now, any)).await
    }

    async fn registry(&self) -> Result<Gate, StoreError> {
        self.ready()?.readers.run(locations::read_registry).await
    }

    async fn set_registry(&self, gate: &Gate) -> Result<(), StoreError> {
        let (gate, now) = (gate.clone(), self.clock.now());
        self.ready()?.writer.run(move |connection| locations::set_registry(connection, &gate, now)).await
    }

    async fn merge(&self, merge: &Merge) -> Result<Option<Merged>, StoreError> {
        let open = self.ready()?;
        let (merge, now, known) = (merge.clone(), self.clock.now(), Arc::clone(&open.known));
        open.writer.run(move |connection| merge::merge(connection, &merge, &known, now)).await
    }

    async fn receipt_key(&self) -> Result<Vec<u8>, StoreError> {
        self.ready()?.readers.run(locations::receipt_key).await
    }

    async fn pulse(&self) -> Result<Pulse, StoreError> {
        let now = self.clock.now();
        let (continuity, due) = self.ready()?.readers.run(move |connection| pulse::due(connection, now)).await?;
        match due {
            None => Ok(Pulse { continuity, event: None }),
            Some(_) => self.ready()?.writer.run(move |connection| pulse::write(connection, now)).await,
        }
    }

    async fn open_registry(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let gate = self.registry().await?;
        if gate.at(now) == gate {
            return Ok(false);
        }
        self.ready()?.writer.run(move |connection| locations::open_registry(connection, now)).await
    }

    async fn location_versions(
        &self,
        locations: &[Option<LocationName>],
    ) -> Result<Vec<(Option<LocationName>, i64)>, StoreError> {
        let locations = locations.to_vec();
        self.ready()?.readers.run(move |connection| locations::versions(connection, &locations)).await
    }

    async fn changed(&self, versions: &[(RunId, i64)]) -> Result<Vec<RunId>, StoreError> {
        let versions = versions.to_vec();
        self.ready()?.readers.run(move |connection| executions::changed(connection, &versions)).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<SavedEvent>, StoreError> {
        let filter = filter.clone();
        let list = move |connection: &_| events::list(connection, &filter, after, order, limit);
        self.ready()?.readers.run(list).await
    }

    async fn settled_events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<SettledEvents, StoreError> {
        let filter = filter.clone();
        self.ready()?.readers.run(move |connection| events::settled(connection, &filter, after, limit)).await
    }

    async fn forget_events(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.ready()?.writer.run(move |connection| events::forget(connection, before, limit)).await
    }

    async fn forget_first_answers(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.ready()?.writer.run(move |connection| idempotency::forget(connection, before, limit)).await
    }

    async fn durations(&self, alike: &Alike) -> Result<Vec<SignedDuration>, StoreError> {
        let alike = alike.clone();
        self.ready()?.readers.run(move |connection| executions::durations(connection, &alike)).await
    }

    async fn location(&self, name: &LocationName) -> Result<Option<Location>, StoreError> {
        let name = name.clone();
        self.ready()?.readers.run(move |connection| locations::one(connection, &name)).await
    }

    async fn locations(&self) -> Result<Vec<Location>, StoreError> {
        self.ready()?.readers.run(locations::all).await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        let now = self.clock.now();
        self.ready()?.readers.run(move |connection| usage::read(connection, now)).await
    }

    fn metrics(&self) -> &DatabaseMetrics {
        &self.metrics
    }

    fn connections(&self) -> ConnectionCount {
        self.open.get().map_or_else(ConnectionCount::default, |open| connection::count(&open.writer, &open.readers))
    }

    async fn audit(&self, from: &str, limit: usize) -> Result<AuditPage, StoreError> {
        let from = from.to_owned();
        self.ready()?.readers.run(move |connection| audit::page(connection, &from, limit)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let open = self.ready()?;
        let was_full = open.is_full.load(Ordering::Relaxed);
        if was_full {
            open.writer.check_room()?;
        }
        open.writer.run(move |connection| locations::check_writable(connection, was_full)).await?;
        open.is_full.store(false, Ordering::Relaxed);
        Ok(())
    }
}
