//! Whether a location's row says what its executions say.

use std::fmt;

use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::LocationName;

/// What is counted at a location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub used: Factor,
    pub running: i64,
    pub leased: i64,
    pub waiting: i64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, running, leased, waiting } = self;
        write!(f, "{used} in use by {running} running, {leased} of them with a lease, and {waiting} waiting")
    }
}

/// A location whose row says something else than its executions. The row is what admits; only a defect, or a hand
/// in the database, makes them differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `None` stands for the tests that name no location.
    pub location: Option<LocationName>,
    /// Nothing at all if there is no row.
    pub row: Tally,
    pub executions: Tally,
}

impl Difference {
    #[must_use]
    pub fn between(location: Option<LocationName>, row: Tally, executions: Tally) -> Option<Self> {
        (row != executions).then_some(Self { location, row, executions })
    }
}
