//! A database that misbehaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use perfreg::domain::adopted::AdoptedAt;
use perfreg::domain::capacity::location::{Location, LocationName};
use perfreg::domain::continuity::Pulse;
use perfreg::domain::event::{EventFilter, EventId, Order, SavedEvent};
use perfreg::domain::execution::{Execution, RunId};
use perfreg::domain::gate::Gate;
use perfreg::domain::history::{Cursor, Filter, Page};
use perfreg::domain::schedule::board::BoardSnapshot;
use perfreg::domain::schedule::estimate::Alike;
use perfreg::domain::usage::Usage;
use perfreg::metrics::{ConnectionCount, DatabaseMetrics};
use perfreg::store::{AuditPage, Batch, Decided, Merge, Merged, SettledEvents, Store, StoreError};
use tokio::sync::Semaphore;

/// Commits, and then loses the answer to the first commits, or has a defect; and takes its time.
pub struct LosesAnswers {
    store: Arc<dyn Store>,
    left: AtomicUsize,
    /// Each transaction takes one of these, and waits while there is none.
    pub turns: Semaphore,
    /// How many transactions were begun.
    pub begun: AtomicUsize,
    /// How many of the next transactions end with a panic.
    pub defects: AtomicUsize,
    /// How often an execution was read.
    pub reads: AtomicUsize,
    /// How often somebody asked what is in use.
    pub usages: AtomicUsize,
    /// Whether no execution can be read.
    pub is_unreadable: AtomicBool,
}

impl LosesAnswers {
    pub fn new(store: Arc<dyn Store>, answers_to_lose: usize, turns: usize) -> Arc<Self> {
        Arc::new(Self {
            store,
            left: AtomicUsize::new(answers_to_lose),
            turns: Semaphore::new(turns),
            begun: AtomicUsize::new(0),
            defects: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            usages: AtomicUsize::new(0),
            is_unreadable: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl Store for LosesAnswers {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.store.prepare().await
    }

    async fn decide(&self, batch: &Batch) -> Result<Decided, StoreError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.turns.acquire().await.expect("never closed").forget();
        assert!(!is_one_of(&self.defects), "a defect, put in on purpose");
        let answers = self.store.decide(batch).await?;
        if is_one_of(&self.left) {
            return Err(StoreError::CommitUnknown("the line went dead".to_owned()));
        }
        Ok(answers)
    }

    fn transactions_at_once(&self) -> usize {
        self.store.transactions_at_once()
    }

    async fn execution(&self, run_id: RunId) -> Result<Option<Execution>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.is_unreadable.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it is away".to_owned()));
        }
        self.store.execution(run_id).await
    }

    async fn executions(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.store.executions(filter, after, limit).await
    }

    async fn running_before(
        &self,
        location: Option<&LocationName>,
        before: Timestamp,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<Execution>, StoreError> {
        self.store.running_before(location, before, after, limit).await
    }

    async fn adopted(&self) -> Result<Vec<AdoptedAt>, StoreError> {
        self.store.adopted().await
    }

    async fn board(&self, location: Option<&LocationName>, most: usize) -> Result<BoardSnapshot, StoreError> {
        self.store.board(location, most).await
    }

    async fn runs_between(
        &self,
        location: &LocationName,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Execution>, StoreError> {
        self.store.runs_between(location, from, to, limit).await
    }

    async fn due(&self, any: bool) -> Result<Vec<Option<LocationName>>, StoreError> {
        self.store.due(any).await
    }

    async fn registry(&self) -> Result<Gate, StoreError> {
        self.store.registry().await
    }

    async fn set_registry(&self, gate: &Gate) -> Result<(), StoreError> {
        self.store.set_registry(gate).await
    }

    async fn merge(&self, merge: &Merge) -> Result<Option<Merged>, StoreError> {
        self.store.merge(merge).await
    }

    async fn receipt_key(&self) -> Result<Vec<u8>, StoreError> {
        self.store.receipt_key().await
    }

    async fn pulse(&self) -> Result<Pulse, StoreError> {
        self.store.pulse().await
    }

    async fn open_registry(&self) -> Result<bool, StoreError> {
        self.store.open_registry().await
    }

    async fn location_versions(
        &self,
        locations: &[Option<LocationName>],
    ) -> Result<Vec<(Option<LocationName>, i64)>, StoreError> {
        self.store.location_versions(locations).await
    }

    async fn changed(&self, versions: &[(RunId, i64)]) -> Result<Vec<RunId>, StoreError> {
        self.store.changed(versions).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<SavedEvent>, StoreError> {
        self.store.events(filter, after, order, limit).await
    }

    async fn settled_events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<SettledEvents, StoreError> {
        self.store.settled_events(filter, after, limit).await
    }

    async fn forget_events(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.store.forget_events(before, limit).await
    }

    async fn forget_first_answers(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.store.forget_first_answers(before, limit).await
    }

    async fn durations(&self, alike: &Alike) -> Result<Vec<SignedDuration>, StoreError> {
        self.store.durations(alike).await
    }

    async fn location(&self, name: &LocationName) -> Result<Option<Location>, StoreError> {
        self.store.location(name).await
    }

    async fn locations(&self) -> Result<Vec<Location>, StoreError> {
        self.store.locations().await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        self.usages.fetch_add(1, Ordering::SeqCst);
        self.store.usage().await
    }

    fn metrics(&self) -> &DatabaseMetrics {
        self.store.metrics()
    }

    fn connections(&self) -> ConnectionCount {
        self.store.connections()
    }

    async fn audit(&self, from: &str, limit: usize) -> Result<AuditPage, StoreError> {
        self.store.audit(from, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

/// Whether some are left, of which this is then one.
fn is_one_of(left: &AtomicUsize) -> bool {
    left.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}
