//! Whether anything may start, as the command line says it.

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::by::By;
use super::duration::exact;
use super::future::point_in_time;
use crate::client::ClientError;
use crate::wire::gate::{Gate, GateState};

/// Why it is so, who says it, and for how long.
#[derive(Args)]
pub struct Grounds {
    /// Why, for everybody who waits; required unless the state is open.
    #[arg(long, value_name = "TEXT", requires = "state", help_heading = "Why and who",
          required_if_eq_any([("state", "draining"), ("state", "stopped")]))]
    pub reason: Option<String>,
    /// When it opens by itself: 2h, 16:00, "2026-11-30 16:00" here, or 2026-11-30T16:00:00Z.
    #[arg(long, value_name = "WHEN", value_parser = point_in_time, requires = "state", help_heading = "Why and who")]
    pub until: Option<Timestamp>,
    #[command(flatten)]
    pub by: By,
}

impl Grounds {
    /// An open state has no reason and no end, so either of them beside it is a mistake.
    pub fn check(&self, state: Option<State>) -> Result<(), ClientError> {
        let is_open = matches!(state, Some(State::Open));
        match (self.reason.is_some(), self.until.is_some()) {
            (true, _) if is_open => Err(ClientError::Options(useless("--reason"))),
            (_, true) if is_open => Err(ClientError::Options(useless("--until"))),
            _ => Ok(()),
        }
    }
}

fn useless(flag: &str) -> String {
    format!("{flag} says nothing of --state open; leave it out, or give --state draining or stopped")
}

#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    /// Tests start as there is room.
    Open,
    /// Nothing new starts; what runs goes on.
    Draining,
    /// Nothing new starts, and the runners of tests with a lease are asked to stop.
    Stopped,
}

impl From<State> for GateState {
    fn from(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::Draining => Self::Draining,
            State::Stopped => Self::Stopped,
        }
    }
}

/// `draining: release of the shop, by ana, until 2026-11-22 14:03:00Z`.
pub fn describe(gate: &Gate) -> String {
    let until = gate.until.map(exact);
    let part = |before: &str, text: Option<&str>| text.map(|text| format!("{before}{text}")).unwrap_or_default();
    let reason = part(": ", gate.reason.as_deref().map(|reason| reason.trim_end_matches('.')));
    let by = part(", by ", gate.by.as_deref());
    format!("{}{reason}{by}{}", word(gate.state), part(", until ", until.as_deref()))
}

pub const fn word(state: GateState) -> &'static str {
    match state {
        GateState::Open => "open",
        GateState::Draining => "draining",
        GateState::Stopped => "stopped",
    }
}
