//! One file per thing that a user can ask for.

mod dispatch;
mod error;
mod follow;
mod places;
mod read;
mod runs;
mod upkeep;

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::domain::capacity::location::LocationName;
use crate::metrics::Metrics;
use crate::store::Store;
use dispatch::lanes::Lanes;
use dispatch::seen::Seen;
use follow::tail::Tail;
use follow::watchers::Watchers;
use places::known_locations::KnownLocations;
use read::metrics::Scrapes;
use runs::expectations::Expectations;
use upkeep::audit::AuditLog;

pub use error::RegistryError;
pub use follow::tail::{EventStream, News, NewsCount, ToldEvent};
pub use follow::watch::Until;
pub use places::locations::{Deleted, Merging};
pub use read::board::Neighbours;
pub use read::browse::{ExecutionPages, MOST_PER_PAGE};
pub use read::events::{EventPage, MOST_EVENTS_PER_PAGE, Story};
pub use runs::cancel::Cancellation;
pub use runs::cancel_before::{CancelBefore, CancelledBefore, MOST_CANCELLED};
pub use runs::complete::Completed;
pub use runs::heartbeat::Beaten;
pub use runs::plan::Plan;
pub use runs::register::{Idempotency, Registered, Request};
pub use upkeep::audit::{Audit, Audits};

pub struct Registry {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    scrapes: Scrapes,
    lanes: Arc<Lanes>,
    watchers: Arc<Watchers>,
    tail: Tail,
    expectations: Expectations,
    seen: Seen,
    known_locations: KnownLocations,
    /// Whether tests are refused at locations that are new.
    takes_known_locations_only: bool,
    /// The last return of the registry after which everybody was looked at.
    looked_at_after: Mutex<Option<Timestamp>>,
    audits: AuditLog,
    /// The locations that are being swept in the background.
    under_way: Arc<Mutex<HashSet<Option<LocationName>>>>,
    receipt_key: OnceCell<Vec<u8>>,
    /// Whether the last look found nothing that was adopted and still runs.
    has_no_adopted: AtomicBool,
}

impl Registry {
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let watchers = Arc::<Watchers>::default();
        let metrics = Arc::new(Metrics::new(store.metrics()));
        let (tail, expectations) = (Tail::new(Arc::clone(&store)), Expectations::new(Arc::clone(&store)));
        let lanes = Lanes::new(Arc::clone(&store), Arc::clone(&watchers), Arc::clone(&metrics), tail.count());
        let known_locations = KnownLocations::new(Arc::clone(&store));
        let (looked_at_after, receipt_key, audits) = (Mutex::default(), OnceCell::new(), AuditLog::default());
        Self {
            store,
            metrics,
            scrapes: Scrapes::default(),
            lanes,
            watchers,
            tail,
            expectations,
            seen: Seen::default(),
            known_locations,
            takes_known_locations_only: false,
            looked_at_after,
            audits,
            receipt_key,
            under_way: Arc::default(),
            has_no_adopted: AtomicBool::new(false),
        }
    }

    /// Refuses tests at locations that nobody has used nor set before.
    #[must_use]
    pub fn with_known_locations_only(self) -> Self {
        Self { takes_known_locations_only: true, ..self }
    }
}
