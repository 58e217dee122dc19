//! Whether anything may start.

use jiff::Timestamp;

use crate::domain::gate::{Gate, GateState};
use crate::wire;

#[must_use]
pub fn to_wire(gate: &Gate) -> wire::gate::Gate {
    let state = match gate.state {
        GateState::Open => wire::gate::GateState::Open,
        GateState::Draining => wire::gate::GateState::Draining,
        GateState::Stopped => wire::gate::GateState::Stopped,
    };
    wire::gate::Gate { state, reason: gate.reason.clone(), by: gate.by.clone(), until: gate.until }
}

/// Why nothing starts, until when and who said so; nothing if the gate is open.
#[must_use]
pub fn closed(gate: &Gate, now: Timestamp) -> Option<String> {
    let gate = gate.at(now);
    if gate.is_open() {
        return None;
    }
    let until = gate.until.map(|until| format!(" until {until:.0}")).unwrap_or_default();
    let by = gate.by.map(|by| format!(" ({by})")).unwrap_or_default();
    Some(format!("{}{until}: {}{by}", gate.state.as_str(), gate.reason.unwrap_or_default()))
}
