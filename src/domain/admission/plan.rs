//! What comes of a batch: what a store saves before it commits, and what it answers afterwards.

use std::sync::Arc;

use crate::domain::answer::{Answer, Holder};
use crate::domain::capacity::location::Location;
use crate::domain::event::Event;
use crate::domain::execution::{Execution, RunId};
use crate::domain::schedule::roster::Roster;

/// How many running executions a refusal names, largest factor first.
pub const MOST_HOLDERS_NAMED: usize = 100;
/// How many of them an event names; it is kept for long.
const MOST_HOLDERS_NOTED: usize = 10;

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
    pub(super) roster: Roster,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) events: Vec<Noted>,
    pub(super) sightings: Vec<Vec<Holder>>,
    pub(super) changes_anything: bool,
    pub(super) changes_location: bool,
}

/// An event, and which sighting it shows, if it has one.
#[derive(Clone, Debug)]
pub struct Noted {
    pub event: Event,
    pub sighting: Option<usize>,
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
pub struct Verdict {
    pub answer: Answer,
    /// Index into the plan's sightings, which answers share while nothing changes between them.
    pub sighting: Option<usize>,
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

    /// One of the executions that are written and have a real run_id, as it is after all commands.
    #[must_use]
    pub fn written(&self, run_id: RunId) -> Option<&Execution> {
        // They are in the order of their run_ids; hardly any is taken back.
        let updated = self.updated.binary_search_by_key(&run_id, |run| run.run_id).ok();
        let is_it = |run: &&Execution| run.run_id == run_id;
        updated.map(|index| &self.updated[index]).or_else(|| self.inserted[self.unnumbered()..].iter().find(is_it))
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

pub fn provisional(index: usize) -> RunId {
    RunId(FIRST_PROVISIONAL + index as i64)
}

pub fn provisional_index(run_id: RunId) -> Option<usize> {
    usize::try_from(run_id.0.checked_sub(FIRST_PROVISIONAL)?).ok()
}
