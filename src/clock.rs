//! The only reader of this machine's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Where a store takes the time of its decisions from.
///
/// PostgreSQL decides by its own clock, which all replicas share; SQLite has none but the
/// machine's. A simulated clock takes the place of either.
#[derive(Clone, Debug)]
pub enum Clock {
    Real,
    Simulated(SimulatedClock),
}

impl Clock {
    /// The time in whole microseconds, which is what both databases keep.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Real => now(),
            Self::Simulated(clock) => clock.now(),
        }
    }

    /// The time if it is simulated; a real one is read by PostgreSQL itself.
    #[must_use]
    pub fn simulated_now(&self) -> Option<Timestamp> {
        match self {
            Self::Real => None,
            Self::Simulated(clock) => Some(clock.now()),
        }
    }
}

#[must_use]
#[expect(clippy::disallowed_methods, reason = "everybody else asks here")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// A clock that stands still until it is told to move.
#[derive(Clone, Debug)]
pub struct SimulatedClock(Arc<AtomicI64>);

impl SimulatedClock {
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_microsecond())))
    }

    /// # Panics
    /// If it was advanced past the year 9999.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).expect("a simulated time within jiff's range")
    }

    /// Moves the clock; a negative duration sets it back.
    ///
    /// # Panics
    /// If the duration is longer than 292,000 years.
    pub fn advance(&self, duration: SignedDuration) {
        let microseconds = i64::try_from(duration.as_micros()).expect("a duration of fewer than 2^63 microseconds");
        self.0.fetch_add(microseconds, Ordering::SeqCst);
    }
}
