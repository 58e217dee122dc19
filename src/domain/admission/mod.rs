//! The rule: what may start at a location, and what every other command does there.
//!
//! A store locks the location, shows [`decide`] a [`Snapshot`], saves the [`Plan`] and commits.
//! First the rule catches up with the time: waiters and leases that have run out. Then it decides
//! the commands one after the other, each seeing what those before it changed, so that a batch
//! decides as its commands would one by one.

use std::sync::Arc;

use jiff::Timestamp;

use super::answer::{Answer, Holder};
use super::continuity::Continuity;
use super::event::Event;
use super::execution::{Execution, Outcome, Registration, RunId};
use super::factor::Factor;
use super::gate::Gate;
use super::idempotency::{FirstAnswer, IdempotencyKey};
use super::lease::TokenHash;
use super::location::Location;
use super::roster::Roster;

mod batch;
#[cfg(test)]
mod cancelling_tests;
mod commands;
#[cfg(test)]
mod continuity_tests;
mod events;
#[cfg(test)]
mod events_tests;
#[cfg(test)]
mod location_tests;
mod planning;
#[cfg(test)]
mod planning_tests;
mod taking_back;
#[cfg(test)]
mod taking_back_tests;
#[cfg(test)]
mod telling_tests;
#[cfg(test)]
mod tests;
mod waiters;
#[cfg(test)]
mod waiting_tests;

use batch::Batch;
pub use events::{location_merged, registry_opened, registry_set, run_moved};

/// How many running executions a refusal names, largest factor first.
pub const MOST_HOLDERS_NAMED: usize = 100;
/// How many of them an event names; it is kept for long.
const MOST_HOLDERS_NOTED: usize = 10;
/// How many may wait for one location.
pub const MOST_WAITING: usize = 10_000;

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

/// What the store shows the rule while it holds the location's lock.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub location: Location,
    /// The gate of the whole registry.
    pub registry: Gate,
    /// Whether the registry was there all the time.
    pub continuity: Continuity,
    /// Everybody who waits here, and who runs here with a lease.
    pub roster: Roster,
    /// The executions that the commands name, by run_id or by the id of a registration that an
    /// earlier attempt may have saved; those who are in the roster may be left out.
    pub named: Vec<Execution>,
    /// What requests with the commands' keys were first answered with.
    pub first_answers: Vec<FirstAnswer>,
}

impl Snapshot {
    /// How many of those who hold the location the rule has to know of to decide the commands;
    /// nothing if it need not know or the roster says so already.
    #[must_use]
    pub fn lacks_holders(&self, commands: &[Command], now: Timestamp) -> Option<usize> {
        // Of those that are known, the commands may end some, and so may the time.
        let due = self.roster.due(now);
        let count = MOST_HOLDERS_NAMED + commands.len() + due.len();
        let are_known = self.roster.holders().is_some_and(|holders| holders.are_enough_for(count));
        // So that they last for a while.
        (!are_known && self.may_show_room(commands, &due, now)).then_some(2 * count)
    }

    /// Whether somebody may have to be told who holds the location.
    fn may_show_room(&self, commands: &[Command], due: &[RunId], now: Timestamp) -> bool {
        let plans = commands.iter().any(|command| matches!(command, Command::Plan(_)));
        let beats = commands.iter().any(|command| matches!(command, Command::Beat { .. } | Command::Tell { .. }));
        let sets = commands.iter().any(|command| matches!(command, Command::SetLocation { .. }));
        let factors = commands.iter().filter_map(|command| match command {
            Command::Register(registration) => Some(registration.factor()),
            _ => None,
        });
        let registers = factors.clone().next().is_some();
        let gate = self.location.gate.at(now);
        let is_open = gate.is_open() && self.registry.at(now).is_open();
        let all_fit = self.location.name.is_none() || self.location.used + factors.sum() < self.location.capacity;
        // A start that is withdrawn leaves a waiter, also where the row says that nobody waits.
        let is_untold = |run_id: &RunId| self.roster.get(*run_id).is_some_and(Execution::is_untold);
        let withdraws = due.iter().any(is_untold) || (self.location.leased > 0 && (sets || !is_open));
        let may_wait = self.location.waiting > 0 || withdraws;
        plans || (may_wait && (registers || beats)) || (registers && (sets || !is_open || !all_fit))
    }
}

/// Decides a batch of commands for one location. `now` is the database's time.
#[must_use]
pub fn decide(snapshot: Snapshot, commands: &[Command], now: Timestamp) -> Plan {
    let before = snapshot.location.clone();
    let mut batch = Batch::new(snapshot, now);
    batch.catch_up();
    let verdicts = commands.iter().map(|command| batch.decide(command)).collect();
    batch.into_plan(&before, verdicts)
}

/// What a store saves before it commits, and what it answers afterwards.
#[derive(Debug)]
pub struct Plan {
    /// The location's row as it has to be written.
    pub location: Location,
    /// The executions to insert, in this order. Their run_ids are made up until the database
    /// has numbered them, but for those that come last, which were taken back in and have theirs.
    pub inserted: Vec<Execution>,
    /// The executions that were there and have to be written.
    pub updated: Vec<Execution>,
    /// Those of them that have another version now. Of the others only their runners were heard of.
    pub changed: Vec<RunId>,
    roster: Roster,
    verdicts: Vec<Verdict>,
    events: Vec<Noted>,
    sightings: Vec<Vec<Holder>>,
    changes_anything: bool,
    changes_location: bool,
}

/// An event, and which sighting it shows, if it has one.
#[derive(Clone, Debug)]
struct Noted {
    event: Event,
    sighting: Option<usize>,
}

/// What came of the commands once the database has numbered what is new.
#[derive(Debug)]
pub struct Outcomes {
    /// In the order of the commands.
    pub answers: Vec<Answer>,
    pub events: Vec<Event>,
}

/// An answer, and which sighting its room shows, if it has one.
#[derive(Clone, Debug)]
struct Verdict {
    answer: Answer,
    /// Index into the plan's sightings, which answers share while nothing changes between them.
    sighting: Option<usize>,
}

impl Plan {
    /// Whether there is anything to save.
    #[must_use]
    pub fn changes_anything(&self) -> bool {
        self.changes_anything
    }

    /// Whether the location's row, or an execution there, has changed.
    #[must_use]
    pub fn changes_location(&self) -> bool {
        self.changes_location
    }

    /// How many of the new executions the database has to number.
    #[must_use]
    pub fn unnumbered(&self) -> usize {
        self.inserted.iter().take_while(|run| provisional_index(run.run_id).is_some()).count()
    }

    /// The run_ids of all that are inserted, given those that the database drew.
    #[must_use]
    pub fn numbered(&self, drawn: Vec<RunId>) -> Vec<RunId> {
        let known = self.inserted.iter().skip(self.unnumbered()).map(|run| run.run_id);
        drawn.into_iter().chain(known).collect()
    }

    /// Everybody who waits or runs with a lease once the plan is saved and the database has
    /// numbered what is new.
    #[must_use]
    pub fn into_roster(mut self, run_ids: &[RunId]) -> Roster {
        for (index, run_id) in run_ids.iter().enumerate() {
            self.roster.number(provisional(index), *run_id);
        }
        self.roster
    }

    /// Takes out the answers and the events, once the database has numbered what is new.
    ///
    /// # Panics
    /// If `run_ids` does not number exactly the executions in `inserted`.
    #[must_use]
    pub fn take_outcomes(&mut self, run_ids: &[RunId]) -> Outcomes {
        assert_eq!(run_ids.len(), self.inserted.len(), "every new execution has a run_id");
        let number = |run_id| provisional_index(run_id).map_or(run_id, |index| run_ids[index]);
        let numbered = |holder: Holder| Holder { run_id: number(holder.run_id), ..holder };
        let sightings: Vec<Arc<[Holder]>> = std::mem::take(&mut self.sightings)
            .into_iter()
            .map(|holders| holders.into_iter().map(numbered).collect())
            .collect();
        let event = |Noted { mut event, sighting }: Noted| {
            let seen = sighting.map(|index| sightings[index].iter().take(MOST_HOLDERS_NOTED));
            event.blocking = seen.into_iter().flatten().cloned().collect();
            event.number(number);
            event
        };
        let answer = |Verdict { mut answer, sighting }: Verdict| {
            if let (Some(room), Some(index)) = (answer.room_mut(), sighting) {
                room.blocking = Arc::clone(&sightings[index]);
            }
            if let Some(run) = answer.run_mut() {
                run.run_id = number(run.run_id);
            }
            answer
        };
        Outcomes {
            answers: std::mem::take(&mut self.verdicts).into_iter().map(answer).collect(),
            events: std::mem::take(&mut self.events).into_iter().map(event).collect(),
        }
    }
}

/// The run_ids of executions that the database has not numbered yet begin here. They are larger
/// than any real one, so that the new ones come last wherever the run_id breaks a tie.
const FIRST_PROVISIONAL: i64 = i64::MAX - (1 << 32);

fn provisional(index: usize) -> RunId {
    RunId(FIRST_PROVISIONAL + index as i64)
}

fn provisional_index(run_id: RunId) -> Option<usize> {
    usize::try_from(run_id.0.checked_sub(FIRST_PROVISIONAL)?).ok()
}
