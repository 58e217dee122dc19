//! How a page of a list is found, alike on both databases, at a cost that does not grow with the
//! number of executions.
//!
//! A filter is first put to the profiles, of which there are few. If few of them match, their
//! executions are looked up. If the status alone leaves few executions, those are looked at. Else
//! the newest executions are looked at, of those without success only the ones of the status, which
//! fills the page where many match; and where it does not, the executions of all matching profiles
//! are looked up after all.
//!
//! To look profiles up is to read the newest execution of each in each status, and then to read on
//! only where those are new enough for the page.

use jiff::SignedDuration;

use crate::domain::execution::{Outcome, Status};

/// Up to so many profiles are looked up at once.
pub const FEW_PROFILES: usize = 100;
/// So many executions are looked at without an index that knows the filter.
pub const MOST_LOOKED_AT: usize = 5_000;
/// A longer text is no term: it would not fit into an index of PostgreSQL.
pub const LONGEST_TERM_CHARACTERS: i32 = 400;
/// Events are numbered nearly in the order of their times: a decision is dated before it is
/// numbered, and clocks are set. By no more than this may an earlier one have a later time.
pub const MOST_EVENT_DISORDER: SignedDuration = SignedDuration::from_hours(1);

/// The status that the newest executions are looked at in, as there is an index for it.
pub const fn status_with_order(status: Option<Status>) -> Option<Status> {
    match status {
        Some(Status::Ended(Outcome::Failure | Outcome::Cancelled)) => status,
        _ => None,
    }
}
