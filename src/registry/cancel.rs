//! Withdraws an execution.

use super::{Completed, Registry, RegistryError};
use crate::domain::execution::{Outcome, RunId};

impl Registry {
    /// Cancels an execution and gives its share of the location back.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn cancel(&self, run_id: RunId) -> Result<Completed, RegistryError> {
        self.complete(run_id, Outcome::Cancelled).await
    }
}
