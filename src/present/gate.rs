//! Whether anything may start.

use jiff::Timestamp;

use crate::domain::execution::Execution;
use crate::domain::gate::{Gate, GateState};
use crate::wire;

/// More commands than that nobody pastes.
const MOST_COMMANDS: usize = 5;

#[must_use]
pub fn to_wire(gate: &Gate) -> wire::gate::Gate {
    let state = match gate.state {
        GateState::Open => wire::gate::GateState::Open,
        GateState::Draining => wire::gate::GateState::Draining,
        GateState::Stopped => wire::gate::GateState::Stopped,
    };
    wire::gate::Gate { state, reason: gate.reason.clone(), by: gate.by.clone(), until: gate.until }
}

/// Which runs of these a stop does not reach, since they have no lease, and how to end them.
#[must_use]
pub fn not_asked<'run>(running: impl Iterator<Item = &'run Execution>) -> Option<String> {
    let numbers: Vec<i64> = running.filter(|run| run.lease.is_none()).map(|run| run.run_id.0).collect();
    let commands = numbers.iter().take(MOST_COMMANDS).map(|number| format!("perfreg cancel {number}"));
    let commands = commands.collect::<Vec<_>>().join(", ");
    let more = match numbers.len().saturating_sub(MOST_COMMANDS) {
        0 => String::new(),
        more => format!(", and so on for {more} more"),
    };
    match numbers.len() {
        0 => None,
        1 => Some(format!("1 run has no lease and is not asked to stop. End its load, then: {commands}")),
        count => Some(format!(
            "{count} runs have no lease and are not asked to stop. End their loads, then: {commands}{more}"
        )),
    }
}

/// What a state means for what runs and waits, where so many run, and so many of them with a lease.
#[must_use]
pub fn effect(state: GateState, running: i64, leased: i64) -> String {
    match state {
        GateState::Open => "Tests start as there is room.".to_owned(),
        GateState::Draining => "Nothing new starts. What runs goes on, and what waits keeps its place.".to_owned(),
        GateState::Stopped => {
            let who = match (leased, running - leased) {
                (0, 0) => "Nothing runs now.".to_owned(),
                (leased, 0) => format!("{leased} with a lease {} now.", run(leased)),
                (0, rest) => format!(
                    "{rest} without a lease {} now, and {} on until somebody ends {}.",
                    run(rest),
                    go(rest),
                    them(rest)
                ),
                (leased, rest) => format!(
                    "{leased} with a lease {} now. {rest} without one {} on until somebody ends {}.",
                    run(leased),
                    go(rest),
                    them(rest)
                ),
            };
            format!("Nothing new starts, and the runners of tests with a lease are asked to end their load. {who}")
        }
    }
}

fn run(count: i64) -> &'static str {
    if count == 1 { "runs" } else { "run" }
}

fn go(count: i64) -> &'static str {
    if count == 1 { "goes" } else { "go" }
}

fn them(count: i64) -> &'static str {
    if count == 1 { "it" } else { "them" }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_says_how_many_will_hear_of_it_and_how_many_will_not() {
        for (running, leased, words) in [
            (0, 0, "Nothing runs now."),
            (1, 1, "1 with a lease runs now."),
            (2, 0, "2 without a lease run now, and go on until somebody ends them."),
            (3, 2, "2 with a lease run now. 1 without one goes on until somebody ends it."),
        ] {
            let effect = effect(GateState::Stopped, running, leased);
            assert!(effect.ends_with(words), "{effect}");
        }
    }
}
