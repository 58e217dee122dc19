//! Does what the time has made due: waiters and leases that ran out, gates that open.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::PAUSE_AFTER_FAILURE;
use crate::registry::Registry;

/// How much later than due anything is done. Every replica sweeps; the second finds nothing left.
const PAUSE: Duration = Duration::from_millis(250);

pub async fn run(registry: Arc<Registry>) {
    loop {
        let pause = match registry.sweep_what_is_free().await {
            Ok(()) => PAUSE,
            Err(error) => {
                tracing::debug!("nothing could be swept: {error}");
                PAUSE_AFTER_FAILURE
            }
        };
        sleep(pause).await;
    }
}
