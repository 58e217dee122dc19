//! Writes down every second that the registry is there, while anybody has a lease or waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::registry::Registry;

/// Shorter than a pulse lasts, so that after an outage the next one comes soon. Every replica does
/// it; whoever is second finds it done.
const PAUSE: Duration = Duration::from_millis(500);

pub async fn run(registry: Arc<Registry>) {
    loop {
        if let Err(error) = registry.pulse().await {
            tracing::debug!("there is no pulse: {error}");
        }
        sleep(PAUSE).await;
    }
}
