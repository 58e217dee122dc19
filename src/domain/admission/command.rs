//! What can be asked of the rule.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::answer::Answer;
use crate::domain::capacity::factor::Factor;
use crate::domain::execution::idempotency::IdempotencyKey;
use crate::domain::execution::lease::TokenHash;
use crate::domain::execution::{Execution, Outcome, Registration, RunId};
use crate::domain::gate::Gate;

#[derive(Clone, Debug)]
pub enum Command {
    Register(Registration),
    /// The runner's word on how it ended; a leased run believes only who knows its secret.
    Complete {
        run_id: RunId,
        outcome: Outcome,
        token: Option<TokenHash>,
    },
    /// A person's wish. A leased run is asked to stop first, unless it is forced.
    Cancel {
        run_id: RunId,
        reason: Option<String>,
        by: Option<String>,
        force: bool,
    },
    /// As [`Command::Cancel`] without force, if it runs and started before then. Whoever named it saw it a while ago.
    CancelStartedBefore {
        run_id: RunId,
        before: Timestamp,
        reason: Option<String>,
        by: Option<String>,
    },
    /// What would come of this registration? Changes nothing.
    Plan(Registration),
    /// The runner is alive. A waiter may be held for so long before it is answered.
    Beat {
        run_id: RunId,
        token: TokenHash,
        hold_seconds: u32,
    },
    /// A waiter that was held is alive, and is to be told what became of it. As [`Command::Beat`], but nobody has it wait.
    Tell {
        run_id: RunId,
        token: TokenHash,
    },
    /// The call of a waiter broke off that was last heard of then.
    BreakOff {
        run_id: RunId,
        heard_at: Timestamp,
    },
    /// The runner is alive of whom the database may have forgotten; `receipt` is the run as it started, by our own word.
    TakeBack {
        receipt: Arc<Execution>,
        token: TokenHash,
    },
    SetLocation {
        capacity: Option<Factor>,
        gate: Option<Gate>,
        by: Option<String>,
    },
    /// Makes the location new again, if nothing runs or waits there.
    DeleteLocation {
        by: Option<String>,
    },
    /// Others have come here from another location: those of them who can never fit do not wait.
    TakeIn,
    /// Does what is due, and nothing else.
    Sweep,
}

impl Command {
    /// The execution that it is about, if it names one.
    #[must_use]
    pub fn run_id(&self) -> Option<RunId> {
        match self {
            Self::Complete { run_id, .. }
            | Self::Cancel { run_id, .. }
            | Self::CancelStartedBefore { run_id, .. }
            | Self::Beat { run_id, .. }
            | Self::Tell { run_id, .. }
            | Self::BreakOff { run_id, .. } => Some(*run_id),
            Self::TakeBack { receipt, .. } => Some(receipt.run_id),
            Self::Register(_)
            | Self::Plan(_)
            | Self::SetLocation { .. }
            | Self::DeleteLocation { .. }
            | Self::TakeIn
            | Self::Sweep => None,
        }
    }

    /// Whether its answer has to stay true whatever becomes of the server that gave it: that of every
    /// command but a look at how things stand, a sweep and a broken call, which nobody relies on.
    #[must_use]
    pub const fn is_promised(&self) -> bool {
        !matches!(self, Self::Plan(_) | Self::Sweep | Self::BreakOff { .. })
    }

    /// What makes it the same request if it comes again.
    #[must_use]
    pub fn key(&self) -> Option<&IdempotencyKey> {
        match self {
            Self::Register(registration) => registration.key.as_ref(),
            _ => None,
        }
    }
}

/// The answers that were given to a key for the first time.
pub fn keyed<'batch>(
    commands: &'batch [Command],
    answers: &'batch [Answer],
) -> impl Iterator<Item = (&'batch IdempotencyKey, &'batch Answer)> {
    // A location that is unknown may be known a moment later, and then the same request is to start.
    let is_first =
        |answer: &Answer| !matches!(answer, Answer::Again { .. } | Answer::KeyReused | Answer::UnknownLocation);
    let keyed = move |(command, answer): (&'batch Command, &'batch Answer)| {
        command.key().filter(|_| is_first(answer)).map(|key| (key, answer))
    };
    commands.iter().zip(answers).filter_map(keyed)
}
