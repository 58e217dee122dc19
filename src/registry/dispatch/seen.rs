//! Remembers where executions are, so that they need not be looked up before something is said of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::execution::lease::TokenHash;
use crate::domain::execution::{Execution, RunId, Status};
use crate::registry::dispatch::Location;
use crate::registry::runs::receipt::Located;
use crate::registry::{Registry, RegistryError};

/// Past this many the memory is emptied: looking up again costs time, never correctness.
const MOST_REMEMBERED: usize = 100_000;

/// Where executions that wait or run were seen, and what their runners show. The first changes only where two locations
/// become one, and the second never.
#[derive(Debug, Default)]
pub struct Seen(Mutex<HashMap<RunId, (Location, Option<TokenHash>)>>);

impl Seen {
    pub fn remember(&self, run: &Execution) {
        let mut runs = self.runs();
        if matches!(run.status, Status::Ended(_)) {
            runs.remove(&run.run_id);
            return;
        }
        if runs.len() >= MOST_REMEMBERED {
            runs.clear();
        }
        let token = run.lease.as_ref().map(|lease| lease.token.clone());
        runs.insert(run.run_id, (run.details.location.clone(), token));
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, (Location, Option<TokenHash>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Submits what is said of an execution to its location. Nothing if the receipt is not ours, or of another run.
    pub(in crate::registry) async fn submit_about(
        &self,
        run_id: RunId,
        command: Command,
        token: Option<&TokenHash>,
        receipt: Option<&str>,
    ) -> Result<Option<Answer>, RegistryError> {
        // The refusal of an end is noted, so that whoever may have been forgotten must not ask twice.
        let asks_once = receipt.is_some() && matches!(command, Command::Complete { .. });
        if !asks_once
            && let Some(answer) = self.submit_where_seen(run_id, command.clone(), token, receipt.is_some()).await?
        {
            return Ok(Some(answer));
        }
        let mut looked_at = None;
        loop {
            let location = match self.locate(run_id, token, receipt).await? {
                Located::At(location) => location,
                Located::WrongReceipt => return Ok(None),
                Located::OtherRun => return Ok(Some(Answer::OtherRun)),
                Located::WrongToken => return Ok(Some(Answer::WrongToken)),
                Located::NotFound => return Ok(Some(Answer::NotFound)),
            };
            let answer = self.lanes.submit(location.clone(), command.clone()).await?;
            // It may have come to another location since it was looked up.
            if !matches!(answer, Answer::NotFound) || looked_at.replace(location).is_some() {
                return Ok(Some(answer));
            }
        }
    }

    /// Submits what is said of an execution to where it was seen. Nothing if that is not known, or if the database may
    /// have forgotten since what a receipt would tell it: then it has to be looked up.
    async fn submit_where_seen(
        &self,
        run_id: RunId,
        command: Command,
        token: Option<&TokenHash>,
        has_receipt: bool,
    ) -> Result<Option<Answer>, RegistryError> {
        let seen = self.seen.runs().get(&run_id).cloned();
        let Some((location, seen_token)) = seen else { return Ok(None) };
        if token.is_some() && token != seen_token.as_ref() {
            return Ok(None);
        }
        let answer = self.lanes.submit(location, command).await?;
        let is_forgotten = match &answer {
            Answer::NotFound => true,
            // The run_id, and so the token, is another's by now.
            Answer::WrongToken => has_receipt,
            Answer::Alive(run, _) => has_receipt && run.status == Status::Queued,
            _ => false,
        };
        if is_forgotten {
            self.seen.runs().remove(&run_id);
            return Ok(None);
        }
        if let Answer::Ended(run) | Answer::EndedOtherwise(run) = &answer {
            self.seen.remember(run);
        }
        Ok(Some(answer))
    }
}
