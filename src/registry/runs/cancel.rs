//! Withdraws an execution.

use crate::domain::admission::Command;
use crate::domain::execution::RunId;
use crate::registry::runs::complete::completed;
use crate::registry::{Completed, Registry, RegistryError};

/// Why it is withdrawn, and how.
#[derive(Clone, Debug, Default)]
pub struct Cancellation {
    pub reason: Option<String>,
    pub by: Option<String>,
    /// Ends a run with a lease at once, instead of asking it to stop.
    pub force: bool,
}

impl Registry {
    /// Cancels an execution. One that runs with a lease is asked to stop, and holds its share of
    /// the location until it has.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn cancel(&self, run_id: RunId, cancellation: Cancellation) -> Result<Completed, RegistryError> {
        let Cancellation { reason, by, force } = cancellation;
        let command = Command::Cancel { run_id, reason, by, force };
        completed(self.submit_about(run_id, command, None, None).await?)
    }
}
