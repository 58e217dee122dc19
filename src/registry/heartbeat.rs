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
    NotFound,
}

impl Registry {
    /// Whether a start that is only read may still be lost with the database's primary, so that it is told to
    /// nobody before another beat was saved behind it.
    #[must_use]
    pub fn must_confirm_starts(&self) -> bool {
        self.store.waits_for_standby()
    }

    /// Takes a beat.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn heartbeat(&self, run_id: RunId, lease_token: &str) -> Result<Beaten, RegistryError> {
        let Some(execution) = self.execution(run_id).await? else {
            return Ok(Beaten::NotFound);
        };
        let command = Command::Beat { run_id, token: token::hash(lease_token) };
        Ok(match self.lanes.submit(execution.details.location.clone(), command).await? {
            Answer::Alive(execution, room) => Beaten::Alive(execution, room),
            Answer::EndedOtherwise(execution) => Beaten::Over(execution),
            Answer::WrongToken => Beaten::WrongToken,
            Answer::NotFound => Beaten::NotFound,
            other => return Err(unexpected("a beat", &other)),
        })
    }
}
