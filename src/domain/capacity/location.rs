//! Where tests run, and how much may run there.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::capacity::factor::Factor;
use crate::domain::gate::Gate;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationName(Arc<str>);

impl LocationName {
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The name under which the stores keep the row of the tests that name no location.
///
/// A client cannot send it, since a location's name has at least one character.
pub const NOWHERE: &str = "";

/// The name of the row that a store keeps for these tests.
#[must_use]
pub fn row_name(location: Option<&LocationName>) -> &str {
    location.map_or(NOWHERE, LocationName::as_str)
}

/// Whose row it is that has this name; the reverse of [`row_name`].
#[must_use]
pub fn of_row(name: &str) -> Option<LocationName> {
    (name != NOWHERE).then(|| LocationName::new(name))
}

/// A location's row: its bound, and what runs there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `None` stands for the tests that name no location; they are bound by nothing.
    pub name: Option<LocationName>,
    /// The factors running here stay below this.
    pub capacity: Factor,
    /// The sum of the factors running here.
    pub used: Factor,
    /// How many executions run here.
    pub running: i64,
    /// Grows with every start here.
    pub fence: i64,
    /// How many executions wait for it.
    pub waiting: i64,
    /// How many of those that run here have a lease.
    pub leased: i64,
    /// Whether anything may start here.
    pub gate: Gate,
    /// Grows with every change here, of this row or of an execution.
    pub version: i64,
    /// When the next waiter, lease or gate runs out, if none is renewed.
    pub next_due: Option<Timestamp>,
    /// Whether nothing was ever used nor set here, or it was deleted since.
    pub is_new: bool,
}

impl Location {
    pub const DEFAULT_CAPACITY: Factor = Factor::ONE;
    /// The largest capacity that can be set: 1,000.
    pub const LARGEST_CAPACITY: Factor = Factor::from_millionths(1_000_000_000);

    /// A location as it is before its first use.
    #[must_use]
    pub fn unused(name: Option<LocationName>) -> Self {
        Self {
            name,
            capacity: Self::DEFAULT_CAPACITY,
            used: Factor::ZERO,
            running: 0,
            fence: 0,
            waiting: 0,
            leased: 0,
            gate: Gate::OPEN,
            version: 0,
            next_due: None,
            is_new: true,
        }
    }

    /// As it is once it is deleted: as before its first use, but for what only ever grows.
    #[must_use]
    pub fn deleted(&self) -> Self {
        Self { fence: self.fence, version: self.version, ..Self::unused(self.name.clone()) }
    }

    /// This location, deleted, and `into` with everything that runs and waits at both: it keeps its capacity and its gate,
    /// and its next start has a higher fence than any before at either.
    #[must_use]
    pub fn merged(&self, into: &Self) -> (Self, Self) {
        let merged = Self {
            used: into.used + self.used,
            running: into.running + self.running,
            fence: into.fence.max(self.fence),
            waiting: into.waiting + self.waiting,
            leased: into.leased + self.leased,
            version: into.version + 1,
            next_due: into.next_due.into_iter().chain(self.next_due).min(),
            ..into.clone()
        };
        (Self { version: self.version + 1, ..self.deleted() }, merged)
    }

    /// The fence of the next start here.
    #[must_use]
    pub fn next_fence(&self, floor: i64) -> i64 {
        (self.fence + 1).max(floor)
    }

    /// What is not in use. A factor fits only if it is smaller than this.
    #[must_use]
    pub fn available(&self) -> Factor {
        self.capacity.left_after(self.used)
    }

    /// The largest factor that makes sense to ask for, whatever runs now.
    #[must_use]
    pub fn largest_factor(&self) -> Factor {
        if self.name.is_some() { self.capacity.max(Factor::ONE) } else { Factor::ONE }
    }

    /// Whether `factor` could start now: the sum must stay below the capacity.
    #[must_use]
    pub fn fits(&self, factor: Factor) -> bool {
        self.name.is_none() || self.used + factor < self.capacity
    }

    /// The largest factor that fits now, if any does.
    #[must_use]
    pub fn largest_fitting(&self) -> Option<Factor> {
        let fitting = match self.name {
            None => Factor::ONE,
            Some(_) => self.available().just_below(),
        };
        self.fits(fitting).then_some(fitting)
    }

    /// The largest factor that fits if nothing else runs.
    #[must_use]
    pub fn largest_that_ever_fits(&self) -> Factor {
        if self.name.is_some() { self.capacity.just_below() } else { Factor::ONE }
    }

    /// Whether `factor` could start if nothing else ran.
    #[must_use]
    pub fn could_ever_fit(&self, factor: Factor) -> bool {
        self.name.is_none() || factor < self.capacity
    }
}

/// A location that nobody has used nor set before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLocation {
    pub name: LocationName,
    /// The name there is that is close to it.
    pub nearest: Option<String>,
}
