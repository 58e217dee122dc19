//! How long a test will probably run, by those that ran before.
//!
//! An expectation is a hint, so one that is a minute old will do, and none if the database does
//! not answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::domain::execution::Details;
use crate::domain::schedule::estimate::{Alike, median_seconds};
use crate::store::Store;

const GOOD_FOR: Duration = Duration::from_mins(1);
/// A test does not wait for a hint.
const PATIENCE: Duration = Duration::from_millis(500);
/// Past this many the memory is emptied.
const MOST_REMEMBERED: usize = 10_000;

pub struct Expectations {
    store: Arc<dyn Store>,
    remembered: Mutex<HashMap<Alike, (Instant, Option<u32>)>>,
}

impl Expectations {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, remembered: Mutex::default() }
    }

    /// The median of the last successes of the same test.
    pub async fn expected_seconds(&self, details: &Details) -> Option<u32> {
        timeout(PATIENCE, self.median(Alike::of(details))).await.ok().flatten()
    }

    async fn median(&self, alike: Alike) -> Option<u32> {
        let known = self.remembered().get(&alike).copied();
        if let Some((_, seconds)) = known.filter(|(read_at, _)| read_at.elapsed() < GOOD_FOR) {
            return seconds;
        }
        let seconds = match self.store.durations(&alike).await {
            Ok(durations) => median_seconds(durations),
            Err(error) => {
                tracing::debug!("no durations: {error}");
                return None;
            }
        };
        let mut remembered = self.remembered();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(alike, (Instant::now(), seconds));
        seconds
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Alike, (Instant, Option<u32>)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
