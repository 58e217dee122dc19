//! One file per thing that a user can ask for.

mod adopted;
mod audit;
mod browse;
mod cancel;
mod cancel_before;
mod complete;
mod error;
mod events;
mod expectations;
mod gate;
mod heartbeat;
mod known_locations;
mod lanes;
mod line;
mod locations;
mod plan;
mod pulse;
mod receipt;
mod register;
mod rest;
mod seen;
mod tail;
mod token;
mod watch;
mod watchers;
mod worker;

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::domain::location::LocationName;
use crate::store::Store;
use audit::AuditLog;
use expectations::Expectations;
use known_locations::KnownLocations;
use lanes::Lanes;
use seen::Seen;
use tail::Tail;
use watchers::Watchers;

pub use audit::{Audit, Audits};
pub use browse::{ExecutionPages, MOST_PER_PAGE};
pub use cancel::Cancellation;
pub use cancel_before::{CancelBefore, CancelledBefore, MOST_CANCELLED};
pub use complete::Completed;
pub use error::RegistryError;
pub use events::{EventPage, MOST_EVENTS_PER_PAGE};
pub use heartbeat::Beaten;
pub use known_locations::UnknownLocation;
pub use locations::{Deleted, Merging};
pub use plan::Plan;
pub use register::{Idempotency, Registered, Request};
pub use tail::{EventStream, ToldEvent};
pub use watch::Until;

pub struct Registry {
    store: Arc<dyn Store>,
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
        let lanes = Lanes::new(Arc::clone(&store), Arc::clone(&watchers));
        let (tail, expectations) = (Tail::new(Arc::clone(&store)), Expectations::new(Arc::clone(&store)));
        let known_locations = KnownLocations::new(Arc::clone(&store));
        let (looked_at_after, receipt_key, audits) = (Mutex::default(), OnceCell::new(), AuditLog::default());
        Self {
            store,
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
