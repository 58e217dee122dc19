//! Records how an execution ended.

use super::token;
use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::execution::{Execution, Outcome, RunId};
use crate::registry::runs::register::unexpected;
use crate::registry::{Registry, RegistryError};

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
    /// The receipt is not ours, or of another run.
    WrongReceipt,
    /// The run_id is another execution's by now.
    OtherRun,
    NotFound,
}

impl Registry {
    /// Ends an execution and gives its share of the location back. One with a lease ends only
    /// for who knows its secret, and is taken back in for who shows a receipt, if the database has
    /// forgotten it.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn complete(
        &self,
        run_id: RunId,
        outcome: Outcome,
        lease_token: Option<&str>,
        receipt: Option<&str>,
    ) -> Result<Completed, RegistryError> {
        let token = lease_token.map(token::hash);
        let command = Command::Complete { run_id, outcome, token: token.clone() };
        completed(self.submit_about(run_id, command, token.as_ref(), receipt).await?)
    }
}

/// `None` stands for a receipt that is not ours, or of another run.
pub(in crate::registry) fn completed(answer: Option<Answer>) -> Result<Completed, RegistryError> {
    let Some(answer) = answer else { return Ok(Completed::WrongReceipt) };
    Ok(match answer {
        Answer::Ended(execution) => Completed::Ended(execution),
        Answer::Stopping(execution) => Completed::Stopping(execution),
        Answer::EndedOtherwise(execution) => Completed::EndedOtherwise(execution),
        Answer::NotStarted(execution) => Completed::NotStarted(execution),
        Answer::WrongToken => Completed::WrongToken,
        Answer::OtherRun => Completed::OtherRun,
        Answer::NotFound => Completed::NotFound,
        other => return Err(unexpected("an end", &other)),
    })
}
