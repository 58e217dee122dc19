//! What the rule has decided for one location, on its way into the database.

use super::{Batch, Decided, Known, Lane};
use crate::domain::activity::Activity;
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
    /// `drawn` numbers the new executions that have no number.
    pub fn new(lane: &'batch Lane, mut plan: Plan, drawn: Vec<RunId>) -> Self {
        let run_ids = plan.numbered(drawn);
        let Outcomes { answers, events } = plan.take_outcomes(&run_ids);
        Self { lane, plan, run_ids, answers, events }
    }

    /// The new executions' numbers.
    pub fn run_ids(&self) -> &[RunId] {
        &self.run_ids
    }

    /// The starts out of the queue, the requests to stop and the ends. Of an execution that is new only its answer tells.
    fn activities(&self) -> impl Iterator<Item = Activity> {
        let activity = |event: &Event| Activity::of(event, self.plan.written(event.run_id?)?);
        self.events.iter().filter_map(activity)
    }
}

/// Remembers what is saved now, and gives what is to be answered. The decisions are in the order
/// of the batch's lanes, some of which may have none.
pub fn conclude(batch: &Batch, decisions: Vec<Decision<'_>>, known: &Known) -> Decided {
    let mut decided = Decided { answers: Vec::with_capacity(batch.lanes.len()), ..Decided::default() };
    let mut decisions = decisions.into_iter().peekable();
    for lane in &batch.lanes {
        let decision = decisions.next_if(|decision| std::ptr::eq(decision.lane, lane));
        decided.activities.extend(decision.iter().flat_map(Decision::activities));
        decided.answers.push(decision.map(|Decision { plan, run_ids, answers, .. }| {
            decided.changed.extend(&plan.changed);
            known.rosters.remember(plan.location.clone(), plan.into_roster(&run_ids));
            answers
        }));
    }
    decided
}
