//! Runs that no server of this registry has started: it adopted them with the original's database.

use jiff::Timestamp;

use crate::domain::capacity::location::{Location, LocationName};

/// Those that still run at one location. They have no lease, so nobody notices when such a runner is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedAt {
    pub location: Option<LocationName>,
    pub running: i64,
    pub oldest: Timestamp,
    pub newest: Timestamp,
}

/// All adopted runs that still run, and the locations that are full with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    pub at: Vec<AdoptedAt>,
    /// Where nothing can start.
    pub full: Vec<Location>,
    pub running: i64,
    pub oldest: Timestamp,
}

impl Adopted {
    /// Nothing if none still run.
    #[must_use]
    pub fn new(at: Vec<AdoptedAt>, locations: &[Location]) -> Option<Self> {
        let oldest = at.iter().map(|at| at.oldest).min()?;
        let is_full = |location: &&Location| {
            location.name.is_some()
                && location.used >= location.capacity
                && at.iter().any(|at| at.location == location.name)
        };
        let full = locations.iter().filter(is_full).cloned().collect();
        Some(Self { running: at.iter().map(|at| at.running).sum(), oldest, full, at })
    }
}
