//! Whether what is in use is what runs.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::clock;
use crate::domain::audit::Difference;
use crate::domain::capacity::location::NOWHERE;
use crate::registry::read::browse::twice;
use crate::registry::{Registry, RegistryError};

const LOCATIONS_AT_ONCE: usize = 500;
/// Where more differ, these are enough to be alarmed by.
const MOST_DIFFERENCES: usize = 100;

/// What the last look at all locations has found.
#[derive(Clone, Debug)]
pub struct Audit {
    pub ended_at: Timestamp,
    /// At most a hundred.
    pub differences: Arc<[Difference]>,
}

/// What this server has looked at since it started.
#[derive(Clone, Debug, Default)]
pub struct Audits {
    pub count: u64,
    pub last: Option<Audit>,
}

#[derive(Default)]
pub(in crate::registry) struct AuditLog(Mutex<Audits>);

impl Registry {
    /// Compares each location's row with its executions, and keeps what it found.
    ///
    /// # Errors
    /// If the database did not answer; what was found before is kept.
    pub async fn audit(&self) -> Result<Audit, RegistryError> {
        let mut differences = Vec::new();
        let mut from = NOWHERE.to_owned();
        loop {
            let page = twice(|| self.store.audit(&from, LOCATIONS_AT_ONCE)).await?;
            differences.extend(page.differences);
            differences.truncate(MOST_DIFFERENCES);
            match page.next {
                Some(next) => from = next,
                None => break,
            }
        }
        let audit = Audit { ended_at: clock::now(), differences: differences.into() };
        let mut audits = self.audits.0.lock().unwrap_or_else(PoisonError::into_inner);
        *audits = Audits { count: audits.count + 1, last: Some(audit.clone()) };
        Ok(audit)
    }

    #[must_use]
    pub fn audits(&self) -> Audits {
        self.audits.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
