//! How a page of a list is found, alike on both databases, at a cost that does not grow with the
//! number of executions.
//!
//! Those that wait or run are few, and are all looked at; if they are many, then only where the newest
//! executions do not fill the page.
//!
//! Any other filter is first put to the profiles, of which there are few. If few of them match, their
//! executions are looked up. If the status alone leaves few executions, those are looked at. Else
//! the newest executions are looked at, of those without success only the ones of the status, which
//! fills the page where many match. Where it does not, as many are looked at as cost what looking the
//! matching profiles up would, if that will probably fill it; else, or if it was in vain as well, those
//! are looked up after all. So a page costs no more than the first look and twice the better of the two
//! ways, unless more profiles match than are counted.
//!
//! To look profiles up is to read the newest execution of each, of the status if one is asked for, and
//! then to read on only where those are new enough for the page.

use jiff::SignedDuration;

use crate::domain::execution::{Execution, Outcome, Status};
use crate::domain::history::Filter;

/// Up to so many profiles are looked up at once.
pub const FEW_PROFILES: usize = 500;
/// The matching profiles are counted up to so many before they are looked up.
pub const MOST_PROFILES: usize = 2_000;
/// So many executions are looked at first without an index that knows the filter.
pub const FIRST_LOOKED_AT: usize = 2_000;
/// Runs that took as long or longer have an index of their own, which names this duration too.
pub const A_LONG_RUN: SignedDuration = SignedDuration::from_hours(1);
/// All executions of a status are looked at if they are no more than these. More that wait or run, only where the
/// newest do not fill the page.
pub const MOST_OF_STATUS: usize = 5_000;
/// To look up a profile costs as much as to look at so many executions, as measured on both databases.
const EXECUTIONS_FOR_A_LOOK_UP: usize = 10;
/// A longer text is no term: it would not fit into an index of PostgreSQL.
pub const LONGEST_TERM_CHARACTERS: i32 = 400;
/// Events are numbered nearly in the order of their times: a decision is dated before it is
/// numbered, and clocks are set. By no more than this may an earlier one have a later time.
pub const MOST_EVENT_DISORDER: SignedDuration = SignedDuration::from_hours(1);

/// What came of a look at some of the newest executions.
pub enum Look {
    /// The page, or what there is of it.
    Page(Vec<Execution>),
    /// So many were found, and there are more to look at.
    Part(usize),
}

/// How many executions are looked at before so many profiles are looked up: what that would cost, if a page of
/// `most` will be among them by how many the first look has found.
pub fn looked_at_again(profiles: usize, found: usize, most: usize) -> Option<usize> {
    let count = profiles.min(MOST_PROFILES) * EXECUTIONS_FOR_A_LOOK_UP;
    (count * found >= most * FIRST_LOOKED_AT).then_some(count)
}

/// Whether the filter lets through less than what is looked at among the newest.
pub fn leaves_something_out(filter: &Filter) -> bool {
    filter.has_narrowing_patterns() || filter.status != status_with_order(filter.status)
}

/// The status, if it is that of executions that have not ended.
pub fn living_status(status: Option<Status>) -> Option<Status> {
    status.filter(|status| !matches!(status, Status::Ended(_)))
}

/// The status that the newest executions are looked at in, as there is an index for it.
pub const fn status_with_order(status: Option<Status>) -> Option<Status> {
    match status {
        Some(Status::Ended(Outcome::Failure | Outcome::Cancelled)) => status,
        _ => None,
    }
}
