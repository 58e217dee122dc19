//! Looks whether each location's row says what its executions say, and says so loudly if not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::PAUSE_AFTER_FAILURE;
use crate::registry::{Audit, Registry};

const PAUSE: Duration = Duration::from_mins(1);

pub async fn run(registry: Arc<Registry>) {
    let mut differed = false;
    loop {
        let pause = match registry.audit().await {
            Ok(audit) => {
                report(&audit, differed);
                differed = !audit.differences.is_empty();
                PAUSE
            }
            Err(error) => {
                tracing::debug!("nothing could be audited: {error}");
                PAUSE_AFTER_FAILURE
            }
        };
        sleep(pause).await;
    }
}

fn report(audit: &Audit, differed: bool) {
    for difference in audit.differences.iter() {
        let location = difference.location.as_ref().map_or("", |name| name.as_str());
        tracing::error!(
            location,
            "the location's row says {}, but its executions say {}; too much or too little may start there until a \
             person sets the row right, as docs/operate/audit.md says",
            difference.row,
            difference.executions
        );
    }
    if differed && audit.differences.is_empty() {
        tracing::info!("every location's row says what its executions say again");
    }
}
