//! Records how an execution ended.

use super::register::unexpected;
use super::{Registry, RegistryError, token};
use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::execution::{Execution, Outcome, RunId};

#[derive(Clone, Debug)]
pub enum Completed {
    /// It has this outcome now, or had it before.
    Ended(Execution),
    /// It has been asked to stop.
    Stopping(Execution),
    /// It had already ended with another outcome, or was given up.
    EndedOtherwise(Execution),
    /// It still waits.
    NotStarted(Execution),
    WrongToken,
    NotFound,
}

impl Registry {
    /// Ends an execution and gives its share of the location back. One with a lease ends only
    /// for who knows its secret.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn complete(
        &self,
        run_id: RunId,
        outcome: Outcome,
        lease_token: Option<&str>,
    ) -> Result<Completed, RegistryError> {
        self.end(run_id, Command::Complete { run_id, outcome, token: lease_token.map(token::hash) }).await
    }

    pub(super) async fn end(&self, run_id: RunId, command: Command) -> Result<Completed, RegistryError> {
        // An execution never changes its location, so it may be looked up outside the lock.
        let Some(execution) = self.execution(run_id).await? else {
            return Ok(Completed::NotFound);
        };
        let location = execution.details.location.clone();
        Ok(match self.lanes.submit(location, command).await? {
            Answer::Ended(execution) => {
                tracing::info!(run_id = run_id.0, status = execution.status.as_str(), "ended");
                Completed::Ended(execution)
            }
            Answer::Stopping(execution) => {
                tracing::info!(run_id = run_id.0, "asked to stop");
                Completed::Stopping(execution)
            }
            Answer::EndedOtherwise(execution) => Completed::EndedOtherwise(execution),
            Answer::NotStarted(execution) => Completed::NotStarted(execution),
            Answer::WrongToken => Completed::WrongToken,
            Answer::NotFound => Completed::NotFound,
            other => return Err(unexpected("an end", &other)),
        })
    }
}
