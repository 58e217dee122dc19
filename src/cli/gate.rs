//! Whether anything may start, as the command line says it.

use crate::wire::gate::GateState;

pub const fn word(state: GateState) -> &'static str {
    match state {
        GateState::Open => "open",
        GateState::Draining => "draining",
        GateState::Stopped => "stopped",
    }
}
