//! What both databases do alike when two locations become one.

use std::sync::Arc;

use super::Merge;
use crate::domain::execution::{Details, Execution};
use crate::domain::location::Location;

/// The rows of the two locations, if both are there.
#[must_use]
pub fn both<'rows>(merge: &Merge, rows: &'rows [Location]) -> Option<(&'rows Location, &'rows Location)> {
    let row = |name| rows.iter().find(|row| row.name.as_ref() == Some(name) && !row.is_new);
    Some((row(&merge.from)?, row(&merge.into)?))
}

/// The execution, once it is at the second location.
#[must_use]
pub fn moved(run: Execution, merge: &Merge) -> Execution {
    let details = Details { location: Some(merge.into.clone()), ..Details::clone(&run.details) };
    Execution { details: Arc::new(details), version: run.version + 1, ..run }
}
