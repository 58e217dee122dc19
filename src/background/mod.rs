//! What goes on without being asked.

mod change_finder;
mod cleaner;
mod event_finder;
mod sweeper;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::registry::Registry;

/// Starts everything; it ends with the process.
pub fn start(registry: &Arc<Registry>, keep_events_for: SignedDuration) {
    tokio::spawn(sweeper::run(Arc::clone(registry)));
    tokio::spawn(change_finder::run(Arc::clone(registry)));
    tokio::spawn(event_finder::run(Arc::clone(registry)));
    tokio::spawn(cleaner::run(Arc::clone(registry), keep_events_for));
}

/// After a failure the database is left alone for a while.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
