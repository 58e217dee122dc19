//! Keeps a run, or a waiter's place, alive.

use std::time::Duration;

use jiff::Timestamp;

use super::token;
use crate::domain::admission::Command;
use crate::domain::answer::{Answer, Room};
use crate::domain::execution::lease::TokenHash;
use crate::domain::execution::{Execution, RunId};
use crate::registry::runs::register::unexpected;
use crate::registry::{Registry, RegistryError};

#[derive(Clone, Debug)]
pub enum Beaten {
    /// It was heard; a waiter is told what it waits for.
    Alive(Execution, Option<Room>),
    /// It has ended, whatever its runner thinks.
    Over(Execution),
    WrongToken,
    /// The receipt is not ours, or of another run.
    WrongReceipt,
    /// The run_id is another execution's by now.
    OtherRun,
    NotFound,
}

impl Registry {
    /// Takes a heartbeat of a runner or a waiter, which may be held for so long before it is answered. A run that the
    /// database has forgotten is taken back in by its receipt.
    ///
    /// A waiter that runs by now counts as told once this returns, so that it has to be answered.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn heartbeat(
        &self,
        run_id: RunId,
        lease_token: &str,
        receipt: Option<&str>,
        hold: Duration,
    ) -> Result<Beaten, RegistryError> {
        let hold_seconds = u32::try_from(hold.as_secs()).unwrap_or(u32::MAX);
        self.hear(run_id, lease_token, receipt, |token| Command::Beat { run_id, token, hold_seconds }).await
    }

    /// Takes a heartbeat of a waiter that was held, to tell it at once what became of it.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn tell(&self, run_id: RunId, lease_token: &str, receipt: Option<&str>) -> Result<Beaten, RegistryError> {
        self.hear(run_id, lease_token, receipt, |token| Command::Tell { run_id, token }).await
    }

    async fn hear(
        &self,
        run_id: RunId,
        lease_token: &str,
        receipt: Option<&str>,
        command: impl FnOnce(TokenHash) -> Command,
    ) -> Result<Beaten, RegistryError> {
        // Whatever is needed to answer is there before anything is decided.
        self.receipt_key().await?;
        let token = token::hash(lease_token);
        beaten(self.submit_about(run_id, command(token.clone()), Some(&token), receipt).await?)
    }

    /// Notes that the call of a waiter broke off that was last heard of then: others may start before it.
    pub async fn note_broken_call(&self, run_id: RunId, heard_at: Timestamp) {
        let broken = Command::BreakOff { run_id, heard_at };
        if let Err(error) = self.submit_about(run_id, broken, None, None).await {
            // It is passed over all the same, a little later.
            tracing::debug!(run_id = run_id.0, "a call that broke off could not be noted: {error}");
        }
    }
}

/// `None` stands for a receipt that is not ours, or of another run.
fn beaten(answer: Option<Answer>) -> Result<Beaten, RegistryError> {
    let Some(answer) = answer else { return Ok(Beaten::WrongReceipt) };
    Ok(match answer {
        Answer::Alive(execution, room) => Beaten::Alive(execution, room),
        Answer::EndedOtherwise(execution) => Beaten::Over(execution),
        Answer::WrongToken => Beaten::WrongToken,
        Answer::OtherRun => Beaten::OtherRun,
        Answer::NotFound => Beaten::NotFound,
        other => return Err(unexpected("a beat", &other)),
    })
}
