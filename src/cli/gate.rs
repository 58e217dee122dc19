//! Whether anything may start, as the command line says it.

use clap::{Args, ValueEnum};

use crate::wire::gate::{Gate, GateState};

/// Why it is so, who says it, and for how long.
#[derive(Args)]
pub struct Grounds {
    /// Why, for everybody who waits; required unless it is opened.
    #[arg(long)]
    pub reason: Option<String>,
    /// Who sets it.
    #[arg(long)]
    pub by: Option<String>,
    /// When it opens by itself, such as 2026-11-22T14:03:00Z.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    Open,
    Draining,
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
    let until = gate.until.map(|until| until.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
    let part = |before: &str, text: Option<&str>| text.map(|text| format!("{before}{text}")).unwrap_or_default();
    let reason = part(": ", gate.reason.as_deref());
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
