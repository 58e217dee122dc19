//! How much is measured.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Sizes {
    /// How often everything is measured; what is published is the median.
    pub rounds: usize,
    /// How long a load lasts, and how long it lasts before it counts.
    pub load: Duration,
    pub warm_up: Duration,
    /// Executions in the small and the large database of `browse`.
    pub small_rows: u64,
    pub large_rows: u64,
    /// Executions for `export` and `pages`.
    pub whole_rows: u64,
    /// Requests of each kind in a round, one after the other.
    pub samples: usize,
    pub leases: usize,
    pub beat: Duration,
    /// How long the beats are watched.
    pub beating: Duration,
    pub watchers: usize,
    pub starts: usize,
    pub waiters: usize,
    pub handovers: usize,
}

impl Sizes {
    pub const fn full() -> Self {
        Self {
            rounds: 5,
            load: Duration::from_secs(10),
            warm_up: Duration::from_secs(2),
            small_rows: 10_000,
            large_rows: 10_000_000,
            whole_rows: 1_000_000,
            samples: 300,
            leases: 50_000,
            beat: Duration::from_secs(20),
            beating: Duration::from_mins(1),
            watchers: 10_000,
            starts: 20,
            waiters: 1_000,
            handovers: 500,
        }
    }

    pub const fn quick() -> Self {
        Self {
            rounds: 1,
            load: Duration::from_secs(1),
            warm_up: Duration::ZERO,
            small_rows: 1_000,
            large_rows: 10_000,
            whole_rows: 10_000,
            samples: 20,
            leases: 500,
            beat: Duration::from_secs(1),
            beating: Duration::from_secs(3),
            watchers: 200,
            starts: 3,
            waiters: 40,
            handovers: 20,
        }
    }
}
