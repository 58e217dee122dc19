//! What the rule has decided for one location, on its way into the database.

use super::{Decided, Known, Lane};
use crate::domain::admission::{Outcomes, Plan};
use crate::domain::answer::Answer;
use crate::domain::event::Event;
use crate::domain::execution::RunId;

pub struct Decision<'batch> {
    pub lane: &'batch Lane,
    pub plan: Plan,
    /// What the database has numbered the plan's new executions.
    run_ids: Vec<RunId>,
    /// In the order of the commands.
    pub answers: Vec<Answer>,
    pub events: Vec<Event>,
}

impl<'batch> Decision<'batch> {
    pub fn new(lane: &'batch Lane, mut plan: Plan, run_ids: Vec<RunId>) -> Self {
        let Outcomes { answers, events } = plan.take_outcomes(&run_ids);
        Self { lane, plan, run_ids, answers, events }
    }

    /// The new executions' numbers.
    pub fn run_ids(&self) -> &[RunId] {
        &self.run_ids
    }
}

/// Remembers what is saved now, and gives what is to be answered.
pub fn conclude(decisions: Vec<Decision<'_>>, known: &Known) -> Decided {
    let mut decided = Decided { answers: Vec::with_capacity(decisions.len()), changed: Vec::new() };
    for Decision { plan, run_ids, answers, .. } in decisions {
        decided.changed.extend(plan.updated.iter().map(|run| run.run_id));
        decided.answers.push(answers);
        known.rosters.remember(plan.location.clone(), plan.into_roster(&run_ids));
    }
    decided
}
