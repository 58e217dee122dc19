//! What this server can be watched by.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::domain::usage::Usage;
use crate::metrics::{AuditState, DatabaseState, Format, Metrics, Moment};
use crate::registry::{Registry, RegistryError};

/// For so long what the database said is told again, so that scrapes cost it one statement a second at the most.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// A scrape that got no answer by then goes without the locations; a monitoring system waits ten seconds for all of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was in use when somebody last asked, or that the database did not say.
#[derive(Default)]
pub struct Scrapes(Mutex<Option<(Instant, Option<Arc<Usage>>)>>);

impl Registry {
    /// What is counted here.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Everything that a monitoring system reads. Without the database it lacks the locations only.
    ///
    /// # Errors
    /// If it cannot be written down, which would be a defect.
    pub async fn metrics_text(&self, format: Format) -> Result<String, RegistryError> {
        let usage = self.usage().await;
        let audits = self.audits();
        let last = audits.last.map(|last| (last.ended_at, last.differences.len()));
        let (connections, commands_waiting) = (self.store.connections(), self.lanes.waiting());
        let database = DatabaseState { connections, is_up: usage.is_some(), commands_waiting };
        let moment = Moment { audits: AuditState { count: audits.count, last }, database, usage };
        self.metrics.text(format, moment).map_err(|error| RegistryError::Broken(error.to_string()))
    }

    /// What is in use now, or was a moment ago. All who ask at the same time wait for one answer.
    async fn usage(&self) -> Option<Arc<Usage>> {
        let mut last = self.scrapes.0.lock().await;
        if let Some((asked_at, usage)) = &*last
            && asked_at.elapsed() < FRESH_FOR
        {
            return usage.clone();
        }
        let usage = match timeout(PATIENCE, self.store.usage()).await {
            Ok(Ok(usage)) => Some(Arc::new(usage)),
            Ok(Err(error)) => {
                tracing::debug!("a scrape lacks the locations: {error}");
                None
            }
            Err(_) => {
                tracing::debug!("a scrape lacks the locations: no answer within {PATIENCE:?}");
                None
            }
        };
        *last = Some((Instant::now(), usage.clone()));
        usage
    }
}
