//! What both databases do alike when two locations become one.

use super::Merge;
use crate::domain::admission::{location_merged, run_moved};
use crate::domain::capacity::location::Location;
use crate::domain::event::Event;
use crate::domain::execution::Execution;

/// The rows of the two locations, if both are there.
#[must_use]
pub fn both<'rows>(merge: &Merge, rows: &'rows [Location]) -> Option<(&'rows Location, &'rows Location)> {
    let row = |name| rows.iter().find(|row| row.name.as_ref() == Some(name) && !row.is_new);
    Some((row(&merge.from)?, row(&merge.into)?))
}

/// The events of the merge, each with the location at which it happened.
#[must_use]
pub fn events<'merge>(
    merge: &'merge Merge,
    from: &Location,
    merged: &Location,
    moved: &[Execution],
) -> Vec<(Event, &'merge str)> {
    let (first, second) = (merge.from.as_str(), merge.into.as_str());
    let event = location_merged(from, merged, merge.by.as_deref());
    let moved = moved.iter().map(|run| (run_moved(run.run_id, from, merged, merge.by.as_deref()), second));
    [(event.clone(), first), (event, second)].into_iter().chain(moved).collect()
}
