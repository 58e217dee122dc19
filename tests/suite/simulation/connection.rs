//! What a replica has instead of a database: a way to it on which things go wrong.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use perfreg::domain::adopted::AdoptedAt;
use perfreg::domain::capacity::location::{Location, LocationName, of_row, row_name};
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
use tokio::time::sleep;

use super::chance::Chance;
use super::trace::Who;
use super::world::{Life, World};

pub struct Connection {
    pub world: Arc<World>,
    pub replica: usize,
    pub life: Arc<Life>,
    pub chance: Chance,
    pub metrics: DatabaseMetrics,
}

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Committed,
    Unavailable,
    Conflict,
    UnknownCommitted,
    UnknownLost,
}

impl Connection {
    /// The way there, or back. Whoever has died never arrives.
    async fn travel(&self) {
        if !self.world.is_calm() {
            let milliseconds = match self.chance.within(0..=99) {
                0..=39 => 0,
                40..=89 => self.chance.within(1..=9),
                90..=97 => self.chance.within(10..=150),
                _ => self.chance.within(150..=900),
            };
            if milliseconds > 0 {
                sleep(Duration::from_millis(milliseconds.into())).await;
            }
        }
        if self.life.is_over() {
            std::future::pending::<()>().await;
        }
    }

    fn fate(&self) -> Fate {
        let fate = match self.chance.within(0..=99) {
            _ if self.world.is_calm() => Fate::Committed,
            _ if self.life.is_cut_off() => {
                self.chance.pick(&[Fate::Unavailable, Fate::UnknownCommitted, Fate::UnknownLost])
            }
            0..=3 => Fate::Unavailable,
            4..=7 => Fate::Conflict,
            8..=11 => Fate::UnknownCommitted,
            12..=15 => Fate::UnknownLost,
            _ => Fate::Committed,
        };
        // Outside an outage things get through in the end, so that there are bounds to hold.
        if self.life.may_fail(fate != Fate::Committed) { fate } else { Fate::Committed }
    }

    /// Reads something, unless the database is away.
    async fn read<T>(&self, read: impl FnOnce(&World) -> T) -> Result<T, StoreError> {
        self.travel().await;
        if self.fate() != Fate::Committed {
            return Err(StoreError::Unavailable("simulated".to_owned()));
        }
        let found = read(&self.world);
        self.travel().await;
        Ok(found)
    }
}

#[async_trait]
impl Store for Connection {
    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn decide(&self, batch: &Batch) -> Result<Decided, StoreError> {
        self.travel().await;
        let fate = self.fate();
        let what = match fate {
            Fate::Committed => "commits",
            Fate::Unavailable => "finds no database",
            Fate::Conflict => "conflicts",
            Fate::UnknownCommitted => "commits unknown to it",
            Fate::UnknownLost => "does not commit unknown to it",
        };
        self.world.trace.note(Who::Replica(self.replica), what, batch.lanes.len() as i64);
        let decided = match fate {
            Fate::Committed | Fate::UnknownCommitted => {
                // A lane alone waits for its location, and so do all lanes of a retry.
                let may_hold = batch.lanes.len() > 1 && !batch.is_retry && !self.world.is_calm();
                let held: Vec<bool> = batch.lanes.iter().map(|_| may_hold && self.chance.happens(20)).collect();
                Some(self.world.database().decide(batch, &held, self.world.now()))
            }
            Fate::Unavailable | Fate::Conflict | Fate::UnknownLost => {
                self.world.database().skip_run_ids(self.chance.within(0..=2).into());
                None
            }
        };
        self.travel().await;
        match (fate, decided) {
            (Fate::Committed, Some(decided)) => Ok(decided),
            (Fate::Unavailable, _) => Err(StoreError::Unavailable("simulated".to_owned())),
            (Fate::Conflict, _) => Err(StoreError::Conflict("simulated".to_owned())),
            _ => Err(StoreError::CommitUnknown("simulated".to_owned())),
        }
    }

    fn transactions_at_once(&self) -> usize {
        2
    }

    async fn merge(&self, _: &Merge) -> Result<Option<Merged>, StoreError> {
        unreachable!("nobody merges locations here")
    }

    async fn receipt_key(&self) -> Result<Vec<u8>, StoreError> {
        Ok(vec![7; 32])
    }

    async fn pulse(&self) -> Result<Pulse, StoreError> {
        let now = self.world.now();
        self.read(|world| world.database().pulse(now)).await
    }

    async fn execution(&self, run_id: RunId) -> Result<Option<Execution>, StoreError> {
        self.read(|world| world.database().executions.get(&run_id).cloned()).await
    }

    async fn running_before(
        &self,
        _: Option<&LocationName>,
        _: Timestamp,
        _: Option<RunId>,
        _: usize,
    ) -> Result<Vec<Execution>, StoreError> {
        unreachable!("nobody here cancels several at once")
    }

    async fn adopted(&self) -> Result<Vec<AdoptedAt>, StoreError> {
        unreachable!("nothing here was adopted")
    }

    async fn board(&self, _: Option<&LocationName>, _: usize) -> Result<BoardSnapshot, StoreError> {
        unreachable!("nobody here looks at the board")
    }

    async fn runs_between(
        &self,
        _: &LocationName,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<Execution>, StoreError> {
        unreachable!("nobody here asks for neighbours")
    }

    async fn due(&self, any: bool) -> Result<Vec<Option<LocationName>>, StoreError> {
        let now = self.world.now();
        let is_due = |row: &Location| row.next_due.is_some_and(|due| any || due <= now);
        self.read(|world| {
            let database = world.database();
            let any_at = |row: &Location| any && (row.waiting > 0 || row.leased > 0);
            let rows = database.locations.iter().filter(|(_, row)| is_due(row) || any_at(row));
            rows.map(|(name, _)| of_row(name)).collect()
        })
        .await
    }

    async fn registry(&self) -> Result<Gate, StoreError> {
        self.read(|world| world.database().registry.clone()).await
    }

    async fn set_registry(&self, gate: &Gate) -> Result<(), StoreError> {
        self.read(|world| world.database().registry = gate.clone()).await
    }

    async fn open_registry(&self) -> Result<bool, StoreError> {
        self.read(|world| {
            let now = world.now();
            let mut database = world.database();
            let opens = database.registry.at(now) != database.registry;
            database.registry = database.registry.at(now);
            opens
        })
        .await
    }

    async fn location_versions(
        &self,
        locations: &[Option<LocationName>],
    ) -> Result<Vec<(Option<LocationName>, i64)>, StoreError> {
        self.read(|world| {
            let database = world.database();
            let version = |name: &Option<LocationName>| {
                let row = database.locations.get(row_name(name.as_ref()))?;
                Some((name.clone(), row.version))
            };
            locations.iter().filter_map(version).collect()
        })
        .await
    }

    async fn changed(&self, versions: &[(RunId, i64)]) -> Result<Vec<RunId>, StoreError> {
        self.read(|world| {
            let database = world.database();
            let differs = |(run_id, version): &&(RunId, i64)| {
                database.executions.get(run_id).is_none_or(|run| run.version != *version)
            };
            let mut changed: Vec<RunId> = versions.iter().filter(differs).map(|(run_id, _)| *run_id).collect();
            // They come in the order of a hash map.
            changed.sort_unstable();
            changed
        })
        .await
    }

    async fn durations(&self, _: &Alike) -> Result<Vec<SignedDuration>, StoreError> {
        self.read(|_| Vec::new()).await
    }

    async fn executions(&self, _: &Filter, _: Option<Cursor>, _: usize) -> Result<Page, StoreError> {
        unreachable!("nobody here asks for a list")
    }

    async fn events(
        &self,
        _: &EventFilter,
        _: Option<EventId>,
        _: Order,
        _: usize,
    ) -> Result<Vec<SavedEvent>, StoreError> {
        unreachable!("nobody here asks for events")
    }

    async fn settled_events(&self, _: &EventFilter, _: Option<EventId>, _: usize) -> Result<SettledEvents, StoreError> {
        unreachable!("nobody here follows the events")
    }

    async fn forget_events(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        unreachable!("nothing here grows old")
    }

    async fn forget_first_answers(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        unreachable!("nothing here grows old")
    }

    async fn location(&self, _: &LocationName) -> Result<Option<Location>, StoreError> {
        unreachable!("nobody here asks for one location")
    }

    async fn locations(&self) -> Result<Vec<Location>, StoreError> {
        unreachable!("nobody here lists locations")
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        unreachable!("nobody here looks at gauges")
    }

    fn metrics(&self) -> &DatabaseMetrics {
        &self.metrics
    }

    fn connections(&self) -> ConnectionCount {
        ConnectionCount::default()
    }

    async fn audit(&self, _: &str, _: usize) -> Result<AuditPage, StoreError> {
        unreachable!("every transaction is judged here")
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
