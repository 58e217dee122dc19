//! Writes down every second that the registry is there, while anybody has a lease or waits.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::registry::Registry;

/// Shorter than a pulse lasts, so that after an outage the next one comes soon. Every replica does
/// it; whoever is second finds it done.
const PAUSE: Duration = Duration::from_millis(500);

pub async fn run(registry: Arc<Registry>) {
    let mut looking: Option<JoinHandle<()>> = None;
    loop {
        match registry.pulse().await {
            Ok(Some(resumed_at)) if looking.as_ref().is_none_or(JoinHandle::is_finished) => {
                looking = Some(tokio::spawn(look(Arc::clone(&registry), resumed_at)));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!("there is no pulse: {error}"),
        }
        sleep(PAUSE).await;
    }
}

/// Beside the pulse, which would be late if it waited for a location that somebody holds.
async fn look(registry: Arc<Registry>, resumed_at: Timestamp) {
    if let Err(error) = registry.look_at_everybody_after(resumed_at).await {
        tracing::debug!("not everybody was looked at after the registry was away: {error}");
    }
}
