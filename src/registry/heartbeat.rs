//! Keeps a run, or a waiter's place, alive.

use super::register::unexpected;
use super::{Registry, RegistryError, token};
use crate::domain::admission::Command;
use crate::domain::answer::{Answer, Room};
use crate::domain::execution::{Execution, RunId};

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
    /// Whether a start that is only read may still be lost with the database's primary, so that it is told to
    /// nobody before another beat was saved behind it.
    #[must_use]
    pub fn must_confirm_starts(&self) -> bool {
        self.store.waits_for_standby()
    }

    /// Takes a beat. Who shows a receipt is taken back in if the database has forgotten them.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn heartbeat(
        &self,
        run_id: RunId,
        lease_token: &str,
        receipt: Option<&str>,
    ) -> Result<Beaten, RegistryError> {
        // Whatever is needed to answer is there before anything is decided.
        self.receipt_key().await?;
        let token = token::hash(lease_token);
        let beat = Command::Beat { run_id, token: token.clone() };
        beaten(self.submit_about(run_id, beat, Some(&token), receipt).await?)
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
