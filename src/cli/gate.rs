//! Whether anything may start, as the command line says it.

use crate::wire::gate::{Gate, GateState};

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
