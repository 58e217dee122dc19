//! Whether anything may start at a location, or anywhere.

use std::str::FromStr;

use jiff::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum GateState {
    #[default]
    Open,
    /// Nothing new starts; what runs goes on.
    Draining,
    /// As draining, and everything that runs is asked to stop.
    Stopped,
}

impl GateState {
    pub const ALL: [Self; 3] = [Self::Open, Self::Draining, Self::Stopped];

    /// The word that the API and the databases use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of open, draining, stopped")]
pub struct UnknownGateState;

impl FromStr for GateState {
    type Err = UnknownGateState;

    fn from_str(text: &str) -> Result<Self, UnknownGateState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownGateState)
    }
}

/// The state of a location or of the whole registry, and why it is so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    pub state: GateState,
    pub reason: Option<String>,
    /// Who set it.
    pub by: Option<String>,
    /// When it opens by itself.
    pub until: Option<Timestamp>,
}

impl Gate {
    pub const OPEN: Self = Self { state: GateState::Open, reason: None, by: None, until: None };

    /// The gate as it is at `now`: one whose time is over is open.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        if self.until.is_some_and(|until| now >= until) { Self::OPEN } else { self.clone() }
    }

    /// Of two gates that stand one behind the other, the one that holds more back.
    #[must_use]
    pub fn stricter<'gate>(&'gate self, other: &'gate Self) -> &'gate Self {
        if other.state > self.state { other } else { self }
    }

    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, GateState::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_opens_by_itself_when_its_time_is_over() {
        let until = Timestamp::from_second(100).expect("in range");
        let gate = Gate { state: GateState::Stopped, until: Some(until), ..Gate::OPEN };
        assert_eq!(gate.at(Timestamp::from_second(99).expect("in range")), gate);
        assert_eq!(gate.at(until), Gate::OPEN);
    }

    #[test]
    fn the_stricter_of_two_gates_counts() {
        let draining = Gate { state: GateState::Draining, ..Gate::OPEN };
        let stopped = Gate { state: GateState::Stopped, ..Gate::OPEN };
        assert_eq!(draining.stricter(&stopped), &stopped);
        assert_eq!(stopped.stricter(&draining), &stopped);
        assert_eq!(Gate::OPEN.stricter(&draining), &draining);
    }
}
