//! How much is in use everywhere, at one moment.

use jiff::{SignedDuration, Timestamp};

use super::capacity::location::Location;
use super::gate::{Gate, GateState};

/// All locations as they were at one moment of the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub at: Timestamp,
    /// The gate of the whole registry.
    pub registry: Gate,
    /// By name; the tests that name no location come first, if there were any.
    pub locations: Vec<LocationUsage>,
}

/// A location, and what its row does not say of its executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationUsage {
    pub location: Location,
    /// Runs of which a heartbeat was missed.
    pub suspect: i64,
    /// Runs that take so much longer than expected that a person should look after them.
    pub overdue: i64,
    /// Since when the one waits that came first.
    pub waiting_since: Option<Timestamp>,
}

impl Usage {
    #[must_use]
    pub fn registry_state(&self) -> GateState {
        self.registry.at(self.at).state
    }

    /// The state that counts at a location: the stronger of the registry's and its own.
    #[must_use]
    pub fn state_of(&self, usage: &LocationUsage) -> GateState {
        usage.location.gate.at(self.at).state.max(self.registry_state())
    }

    /// How long the one has waited there that came first.
    #[must_use]
    pub fn oldest_wait_of(&self, usage: &LocationUsage) -> SignedDuration {
        usage
            .waiting_since
            .map_or(SignedDuration::ZERO, |since| self.at.duration_since(since).max(SignedDuration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_gate_counts_as_long_as_its_time_is_not_over() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let gate = |state, until: Option<i64>| Gate { state, until: until.map(at), ..Gate::OPEN };
        let state = |registry: Gate, own: Gate| {
            let location = Location { gate: own, ..Location::unused(None) };
            let here = LocationUsage { location, suspect: 0, overdue: 0, waiting_since: None };
            Usage { at: at(100), registry, locations: Vec::new() }.state_of(&here)
        };
        let (open, draining, stopped) = (GateState::Open, GateState::Draining, GateState::Stopped);
        assert_eq!(state(gate(draining, None), gate(stopped, None)), stopped);
        assert_eq!(state(gate(draining, None), gate(stopped, Some(100))), draining);
        assert_eq!(state(gate(stopped, Some(99)), Gate::OPEN), open);
    }
}
