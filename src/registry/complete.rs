//! Records how an execution ended.

use super::{Registry, RegistryError};
use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::execution::{Execution, Outcome, RunId};

#[derive(Clone, Debug)]
pub enum Completed {
    /// It has this outcome now, or had it before.
    Ended(Execution),
    /// It had already ended with another outcome.
    EndedOtherwise(Execution),
    NotFound,
}

impl Registry {
    /// Ends an execution and gives its share of the location back.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn complete(&self, run_id: RunId, outcome: Outcome) -> Result<Completed, RegistryError> {
        // An execution never changes its location, so it may be looked up outside the lock.
        let Some(execution) = self.execution(run_id).await? else {
            return Ok(Completed::NotFound);
        };
        let location = execution.details.location.clone();
        Ok(match self.lanes.submit(location, Command::End { run_id, outcome }).await? {
            Answer::Ended(execution) => {
                tracing::info!(run_id = run_id.0, status = execution.status.as_str(), "ended");
                Completed::Ended(execution)
            }
            Answer::EndedOtherwise(execution) => Completed::EndedOtherwise(execution),
            Answer::NotFound => Completed::NotFound,
            other => return Err(RegistryError::Broken(format!("an end was answered with {other:?}"))),
        })
    }
}
