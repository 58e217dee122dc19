//! What goes on without being asked.

mod auditor;
mod change_finder;
mod cleaner;
mod event_finder;
mod pulse;
mod sweeper;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::registry::Registry;

/// Starts everything; it ends with the process.
pub fn start(registry: &Arc<Registry>, keep_events_for: SignedDuration) {
    tokio::spawn(pulse::run(Arc::clone(registry)));
    tokio::spawn(sweeper::run(Arc::clone(registry)));
    tokio::spawn(change_finder::run(Arc::clone(registry)));
    tokio::spawn(event_finder::run(Arc::clone(registry)));
    tokio::spawn(auditor::run(Arc::clone(registry)));
    tokio::spawn(cleaner::run(Arc::clone(registry), keep_events_for));
}

/// After a failure the database is left alone for a while.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Asking again and again takes at most one part in so many of the time,
const SHARE_OF_TIME: u32 = 10;
/// unless it is so slow that nobody would learn of anything in time.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// For how long to leave the database alone after asking it took so long.
fn pause_after(asking: Duration, shortest: Duration) -> Duration {
    (asking * SHARE_OF_TIME).clamp(shortest, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_learns_of_changes_also_after_the_database_was_slow_once() {
        let shortest = Duration::from_millis(20);
        for (asking_ms, pause_ms) in [(0, 20), (1, 20), (30, 300), (2_000, 1_000), (30_000, 1_000)] {
            let pause = pause_after(Duration::from_millis(asking_ms), shortest);
            assert_eq!(pause, Duration::from_millis(pause_ms), "{asking_ms}");
        }
    }
}
