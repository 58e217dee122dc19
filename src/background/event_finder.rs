//! Finds what happened on any replica, for those who follow the events here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{PAUSE_AFTER_FAILURE, pause_after};
use crate::registry::Registry;

/// How late somebody learns of an event, while asking is quick.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

pub async fn run(registry: Arc<Registry>) {
    loop {
        let asked = Instant::now();
        let pause = match registry.find_events().await {
            Ok(()) => pause_after(asked.elapsed(), SHORTEST_PAUSE),
            Err(error) => {
                tracing::debug!("events could not be looked for: {error}");
                PAUSE_AFTER_FAILURE
            }
        };
        sleep(pause).await;
    }
}
