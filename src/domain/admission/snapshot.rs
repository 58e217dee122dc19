//! What the rule is shown of a location.

use jiff::Timestamp;

use super::command::Command;
use super::plan::MOST_HOLDERS_NAMED;
use crate::domain::answer::FirstAnswer;
use crate::domain::capacity::location::Location;
use crate::domain::continuity::Continuity;
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;
use crate::domain::schedule::roster::Roster;

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
