//! Where executions are kept: SQLite for one server, PostgreSQL for several.

mod answer_text;
mod decision;
mod error;
mod facts;
mod known_profiles;
mod known_rosters;
mod merging;
mod migration;
mod postgres;
mod search;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::config::database::{DatabaseConfig, DatabaseUrl, Durability};
use crate::domain::activity::Activity;
use crate::domain::admission::Command;
use crate::domain::adopted::AdoptedAt;
use crate::domain::answer::Answer;
use crate::domain::audit::Difference;
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

use known_profiles::KnownProfiles;
use known_rosters::KnownRosters;

pub use error::StoreError;
pub use known_profiles::profile_id;
pub use migration::{Migration, Migrations};
pub use sqlite::{Claim, Contents, Progress, Restored, backup, restore};

/// Commands for one location, in their order.
#[derive(Clone, Debug)]
pub struct Lane {
    /// `None` for the tests that name no location.
    pub location: Option<LocationName>,
    pub commands: Vec<Command>,
}

/// Commands to be decided in one transaction; no two lanes are of one location.
#[derive(Clone, Debug)]
pub struct Batch {
    pub lanes: Vec<Lane>,
    /// Whether an earlier attempt may have been committed. The store then looks for the
    /// registrations it already saved instead of starting them twice.
    pub is_retry: bool,
}

impl Batch {
    /// A first attempt at these commands of one location.
    #[must_use]
    pub fn of(location: Option<LocationName>, commands: Vec<Command>) -> Self {
        Self { lanes: vec![Lane { location, commands }], is_retry: false }
    }
}

/// What came of a batch.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// For each lane, in the order of its commands; nothing for a lane whose location others hold
    /// just now, and of which nothing was done.
    pub answers: Vec<Option<Vec<Answer>>>,
    /// The executions that were there before and have another version now.
    pub changed: Vec<RunId>,
    /// What became of tests by it. Where a commit's outcome was unknown, the retry finds nothing of it any more.
    pub activities: Vec<Activity>,
}

/// What a store remembers of its database.
#[derive(Debug, Default)]
struct Known {
    profiles: KnownProfiles,
    rosters: KnownRosters,
}

impl Known {
    fn forget(&self) {
        self.profiles.forget();
        self.rosters.forget();
    }
}

/// Events that no later read will find others between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledEvents {
    /// Oldest first.
    pub events: Vec<SavedEvent>,
    /// Everything up to here has been looked at.
    pub until: EventId,
}

/// Some locations, compared with their executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    pub differences: Vec<Difference>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// Two locations that are to be one.
#[derive(Clone, Debug)]
pub struct Merge {
    pub from: LocationName,
    pub into: LocationName,
    /// Who asked for it.
    pub by: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The second location as it is now.
    pub location: Location,
    /// What was at the first.
    pub moved: Vec<RunId>,
}

/// Every method is held to the same contract on both databases, by `tests/suite/store`.
#[async_trait]
pub trait Store: Send + Sync {
    /// Connects, checks that the database is fit for this version, and migrates it.
    ///
    /// Until it has succeeded once, every other method is [`StoreError::Unavailable`].
    async fn prepare(&self) -> Result<(), StoreError>;

    /// Closes what is open, when nothing more is asked. Every other method may fail from then on.
    async fn close(&self) {}

    /// Locks the locations, asks [`decide`](crate::domain::admission::decide) for each, saves the plans with
    /// their events, and commits all or nothing. A location that is not there yet has the default capacity, and
    /// is only kept if something starts at it or its capacity is set. A lane alone waits for its location, and so
    /// do all lanes of a retry; several lanes are left undecided where they would have to wait for long.
    async fn decide(&self, batch: &Batch) -> Result<Decided, StoreError>;

    /// How many batches are worth deciding at the same time: few, since whoever waits meanwhile
    /// shares the next transaction.
    fn transactions_at_once(&self) -> usize;

    async fn execution(&self, run_id: RunId) -> Result<Option<Execution>, StoreError>;

    /// Up to `limit` executions after `after`, newest first, ties by run_id.
    async fn executions(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError>;

    /// Up to `limit` of those that run at this location and started before then, by run_id, from behind that one on.
    async fn running_before(
        &self,
        location: Option<&LocationName>,
        before: Timestamp,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<Execution>, StoreError>;

    /// What still runs that no server of this registry has started, by location.
    async fn adopted(&self) -> Result<Vec<AdoptedAt>, StoreError>;

    /// All locations, or this one, with up to `most` of what runs and of what waits there, all of one moment.
    async fn board(&self, location: Option<&LocationName>, most: usize) -> Result<BoardSnapshot, StoreError>;

    /// Up to `limit` of what ran at this location in this time, the latest start first: what started since
    /// `from` less [`LONGEST_LOOK_BACK`](crate::domain::schedule::neighbours::LONGEST_LOOK_BACK), and what runs still.
    async fn runs_between(
        &self,
        location: &LocationName,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Execution>, StoreError>;

    /// The locations at which a waiter, a lease or a gate has run out; asked for `any`, also those
    /// at which one ever could. `None` stands for the tests that name no location.
    async fn due(&self, any: bool) -> Result<Vec<Option<LocationName>>, StoreError>;

    /// The gate of the whole registry.
    async fn registry(&self) -> Result<Gate, StoreError>;

    /// Decisions that lock their location after this see the new gate. It is an event.
    async fn set_registry(&self, gate: &Gate) -> Result<(), StoreError>;

    /// Makes one location of two, and says what came of it; nothing if one of them is not there. What runs and waits at the
    /// first does so at the second from then on, and the first is deleted. It is an event at both.
    async fn merge(&self, merge: &Merge) -> Result<Option<Merged>, StoreError>;

    /// What receipts are signed with. It is made with the database and never changes.
    async fn receipt_key(&self) -> Result<Vec<u8>, StoreError>;

    /// Writes down that the registry is there, if that is due, and says how it stands with that.
    async fn pulse(&self) -> Result<Pulse, StoreError>;

    /// Opens the gate of the whole registry if the time that it named has come; says whether it has.
    async fn open_registry(&self) -> Result<bool, StoreError>;

    /// The versions of these locations, which grow with every change there; those that were never
    /// used are left out. `None` stands for the tests that name no location.
    async fn location_versions(
        &self,
        locations: &[Option<LocationName>],
    ) -> Result<Vec<(Option<LocationName>, i64)>, StoreError>;

    /// Which of the executions have reached another version than the one named.
    async fn changed(&self, versions: &[(RunId, i64)]) -> Result<Vec<RunId>, StoreError>;

    /// Up to `limit` events after that one in this order, all that have been committed.
    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<SavedEvent>, StoreError>;

    /// Up to `limit` events after that one, for those who read on from where they stopped; without
    /// one, only where the newest stand. On PostgreSQL an event may take a moment to settle.
    async fn settled_events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<SettledEvents, StoreError>;

    /// Deletes up to `limit` of the events from before that time, and says how many.
    async fn forget_events(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Deletes up to `limit` of the first answers that were kept before that time, and says how many.
    async fn forget_first_answers(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// How long the last successes took, up to [`SUCCESSES_COUNTED`](crate::domain::schedule::estimate::SUCCESSES_COUNTED) of them.
    async fn durations(&self, alike: &Alike) -> Result<Vec<SignedDuration>, StoreError>;

    /// One location, if it was ever used or set.
    async fn location(&self, name: &LocationName) -> Result<Option<Location>, StoreError>;

    /// All locations that were ever used or set, by name.
    async fn locations(&self) -> Result<Vec<Location>, StoreError>;

    /// How much is in use at all locations that were ever used or set, and the registry's gate, in one statement.
    async fn usage(&self) -> Result<Usage, StoreError>;

    /// What is counted of this database.
    fn metrics(&self) -> &DatabaseMetrics;

    /// How many connections to the database there are now.
    fn connections(&self) -> ConnectionCount;

    /// Compares the rows of up to `limit` locations with their executions, by name from that of a row on; each
    /// row and its executions are read at one moment. The last page has what is at locations without a row as well.
    async fn audit(&self, from: &str, limit: usize) -> Result<AuditPage, StoreError>;

    /// Whether the database answers and can be written to.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// Opens the database without waiting for it; [`Store::prepare`] does the waiting.
///
/// # Errors
/// If the configuration itself cannot be used, such as a certificate file that is not there.
pub fn open(config: &DatabaseConfig, clock: Clock) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match &config.url {
        DatabaseUrl::Sqlite(_) if config.durability == Durability::Standby => {
            return Err(StoreError::Unsuitable(
                "SQLite has no standby; leave --durability at local, or give --database a postgresql:// URL".to_owned(),
            ));
        }
        DatabaseUrl::Sqlite(path) => Arc::new(sqlite::SqliteStore::new(path, clock)),
        DatabaseUrl::Postgres(url) => Arc::new(postgres::PostgresStore::open(url, config, clock)?),
    })
}

/// Makes this process the only one that serves the file; PostgreSQL is shared, and there is nothing to claim.
///
/// It is the server's and not the store's, so that a test may open a file a second time and look.
///
/// # Errors
/// [`StoreError::Unavailable`] while another process has it.
pub fn claim(config: &DatabaseConfig) -> Result<Option<Claim>, StoreError> {
    match &config.url {
        DatabaseUrl::Sqlite(path) => Claim::on(path).map(Some),
        DatabaseUrl::Postgres(_) => Ok(None),
    }
}
