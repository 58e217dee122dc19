//! Deletes what is older than it is kept for.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::sleep;

use crate::registry::Registry;

const PAUSE: Duration = Duration::from_mins(10);

pub async fn run(registry: Arc<Registry>, keep_events_for: SignedDuration) {
    loop {
        if let Err(error) = registry.forget_events(keep_events_for).await {
            tracing::debug!("old events could not be deleted: {error}");
        }
        if let Err(error) = registry.forget_first_answers().await {
            tracing::debug!("old answers could not be deleted: {error}");
        }
        sleep(PAUSE).await;
    }
}
