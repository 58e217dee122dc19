//! Finds what other replicas changed, for those who watch here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{PAUSE_AFTER_FAILURE, pause_after};
use crate::registry::Registry;

/// How late a watcher learns of another replica's change at the most, while asking is quick.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

pub async fn run(registry: Arc<Registry>) {
    loop {
        let asked = Instant::now();
        let pause = match registry.find_changes().await {
            Ok(()) => pause_after(asked.elapsed(), SHORTEST_PAUSE),
            Err(error) => {
                tracing::debug!("changes could not be looked for: {error}");
                PAUSE_AFTER_FAILURE
            }
        };
        sleep(pause).await;
    }
}
