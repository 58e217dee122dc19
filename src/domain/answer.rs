//! What a command is answered with.

use std::sync::Arc;

use jiff::Timestamp;

use super::execution::{Execution, RunId};
use super::factor::Factor;
use super::location::{Location, LocationName};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Registered(Execution),
    Refused(Refusal),
    /// The factor is above everything the location could be asked for.
    FactorTooLarge {
        largest: Factor,
    },
    Ended(Execution),
    /// The execution had already ended with another outcome.
    EndedOtherwise(Execution),
    /// No execution has the run_id.
    NotFound,
    Location(Location),
}

/// Why a test may not start, with everything that was weighed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub location: LocationName,
    pub capacity: Factor,
    pub running_factor: Factor,
    pub requested_factor: Factor,
    /// How many executions ran there; `blocking` names the largest of them.
    pub running: i64,
    pub blocking: Arc<[Holder]>,
}

impl Refusal {
    /// Whether the factor could not start even if nothing else ran there.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.requested_factor >= self.capacity
    }

    #[must_use]
    pub fn available_factor(&self) -> Factor {
        self.capacity.left_after(self.running_factor)
    }
}

/// A running execution, as far as those need to know it whom it blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub run_id: RunId,
    pub test: String,
    pub triggered_by: String,
    pub factor: Factor,
    pub start_time: Timestamp,
}
