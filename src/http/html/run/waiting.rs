//! What is in the way of a run that waits.

use crate::domain::answer::{Cause, Refusal};
use crate::domain::execution::Execution;
use crate::domain::schedule::board::{BoardLocation, BoardRun, BoardWaiter};
use crate::http::html::layout::Layout;
use crate::present::prose::{Piece, pieces};
use crate::present::room::explain_cause;
use crate::present::text::shortened;
use crate::present::zone::ShownTime;

/// So many of those who hold the location are listed, and of those who go first.
const MOST_ROWS: usize = 10;
const LONGEST_NAME: usize = 48;

pub struct Waiting {
    pub why: Vec<Piece>,
    pub holders: Vec<Other>,
    pub more_holders: usize,
    pub ahead: Vec<Other>,
    pub more_ahead: usize,
}

/// A run that holds a share, or goes first.
pub struct Other {
    pub run_id: i64,
    pub test: String,
    pub by: String,
    pub factor: String,
    /// When it will probably end, or start.
    pub expected: Option<ShownTime>,
}

impl Waiting {
    pub fn new(here: &BoardLocation, waiter: &BoardWaiter, layout: &Layout) -> Self {
        let room = here.room_of(waiter);
        let cause = room.cause();
        let sentence = if cause == Cause::Queue && room.ahead == 0 {
            "it is next and about to start.".to_owned()
        } else {
            explain_cause(&Refusal { cause, room })
        };
        let names = names(here);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let own = Some(waiter.execution.run_id.0);
        let is_ahead =
            |other: &&BoardWaiter| other.position.zip(waiter.position).is_some_and(|(other, own)| other < own);
        let ahead: Vec<Other> = here.queue.iter().filter(is_ahead).map(|other| ahead(other, layout)).collect();
        let mut holders: Vec<&BoardRun> = here.running.iter().collect();
        holders.sort_by_key(|run| (std::cmp::Reverse(run.execution.factor()), run.execution.start_time));
        let holders: Vec<Other> = holders.into_iter().map(|run| holder(run, layout)).collect();
        Self {
            why: pieces(&sentence, &names, own, &layout.zone, layout.now),
            more_holders: holders.len().saturating_sub(MOST_ROWS),
            holders: holders.into_iter().take(MOST_ROWS).collect(),
            more_ahead: ahead.len().saturating_sub(MOST_ROWS),
            ahead: ahead.into_iter().take(MOST_ROWS).collect(),
        }
    }
}

/// The names that the sentence about it may have.
fn names(here: &BoardLocation) -> Vec<String> {
    let runs = here.running.iter().take(MOST_ROWS).map(|run| &run.execution.details);
    let names = runs.flat_map(|details| [details.test.clone(), details.triggered_by.clone()]);
    names.chain(here.location.name.as_ref().map(ToString::to_string)).chain(here.gate.reason.clone()).collect()
}

fn holder(run: &BoardRun, layout: &Layout) -> Other {
    other(&run.execution, run.expected_end.map(|end| layout.time(end)))
}

fn ahead(waiter: &BoardWaiter, layout: &Layout) -> Other {
    other(&waiter.execution, waiter.estimated_start.map(|start| layout.time(start)))
}

fn other(run: &Execution, expected: Option<ShownTime>) -> Other {
    let details = &run.details;
    Other {
        run_id: run.run_id.0,
        test: shortened(&details.test, LONGEST_NAME).into_owned(),
        by: shortened(&details.triggered_by, LONGEST_NAME).into_owned(),
        factor: run.factor_text().unwrap_or_default(),
        expected,
    }
}
