//! What keeps a test from starting, in a sentence: once for the answers of now and for the events of then.

use jiff::Timestamp;

use crate::domain::answer::Cause;
use crate::domain::capacity::factor::Factor;

/// How many of those who run there are named.
const MOST_NAMED: usize = 3;

/// What is known of what is in the way.
#[derive(Debug)]
pub struct InTheWay<'known> {
    pub cause: Cause,
    /// `None` for a test that names none, which only a closed registry keeps waiting.
    pub location: Option<&'known str>,
    pub capacity: Factor,
    pub used: Factor,
    pub requested: Factor,
    /// How many run there; `holders` names some of them.
    pub running: i64,
    pub holders: Vec<HolderInTheWay<'known>>,
    /// How many wait and go first.
    pub ahead: i64,
    /// The first of them, if it is known.
    pub next: Option<i64>,
    pub gate: ClosedGate<'known>,
}

/// One who runs there.
#[derive(Debug)]
pub struct HolderInTheWay<'known> {
    pub run_id: i64,
    pub factor: Factor,
    /// Its test, who triggered it, and its start; an event does not keep them.
    pub details: Option<(&'known str, &'known str, Timestamp)>,
}

#[derive(Debug)]
pub struct ClosedGate<'known> {
    /// Its word, such as draining.
    pub state: &'known str,
    pub until: Option<Timestamp>,
    pub reason: Option<&'known str>,
    /// Whether it is the registry's and not the location's; an event of a version before does not say.
    pub is_registrys: Option<bool>,
}

/// What is in the way, in a sentence or two.
#[must_use]
pub fn explain(way: &InTheWay<'_>) -> String {
    let InTheWay { capacity, used, requested, ahead, .. } = way;
    let location = way.location.unwrap_or("the registry");
    match way.cause {
        Cause::NeverFits => {
            let largest = capacity.just_below();
            format!(
                "factor {requested} can never run at {location}, where the sum must stay below {capacity}. The largest \
                 factor that fits is {largest}."
            )
        }
        Cause::NoRoom => {
            format!("{used} runs at {location} and {requested} more would not stay below {capacity}.{}", holders(way))
        }
        Cause::Queue => {
            let next = way.next.map(|run_id| format!(" Run {run_id} is the next.")).unwrap_or_default();
            match ahead {
                1 => format!("1 test waits for {location} already and goes first.{next}"),
                ahead => format!("{ahead} tests wait for {location} already and go first.{next}"),
            }
        }
        Cause::QueueFull => format!("{ahead} tests wait for {location} already, and no more are taken on."),
        Cause::Gate => closed(&way.gate, way.location),
    }
}

fn holders(way: &InTheWay<'_>) -> String {
    let named: Vec<String> = way.holders.iter().take(MOST_NAMED).map(holder).collect();
    match (named.len(), way.running - named.len() as i64) {
        (0, _) => String::new(),
        (_, ..=0) => format!(" Running there: {}.", named.join(", ")),
        (_, others) => format!(" Running there: {} and {others} more.", named.join(", ")),
    }
}

fn holder(HolderInTheWay { run_id, factor, details }: &HolderInTheWay<'_>) -> String {
    match details {
        Some((test, by, start)) => format!("run {run_id} ({test} by {by}, {factor}, since {start:.0})"),
        None => format!("run {run_id} ({factor})"),
    }
}

/// Whose gate is closed, until when and why.
fn closed(gate: &ClosedGate<'_>, location: Option<&str>) -> String {
    let whose = match (gate.is_registrys, location) {
        (Some(true), _) | (_, None) => "the registry is".to_owned(),
        (Some(false), Some(location)) => format!("{location} is"),
        (None, Some(_)) => "nothing starts:".to_owned(),
    };
    let until = gate.until.map(|until| format!(" until {until:.0}")).unwrap_or_default();
    let reason = gate.reason.unwrap_or("no reason was given");
    format!("{whose} {}{until}: {}.", gate.state, reason.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(location: Option<&str>, is_registrys: Option<bool>, reason: Option<&str>) -> String {
        let gate = ClosedGate { state: "draining", until: None, reason, is_registrys };
        let (capacity, used, requested) = (Factor::ONE, Factor::ZERO, Factor::SMALLEST);
        let cause = Cause::Gate;
        let holders = Vec::new();
        explain(&InTheWay {
            cause,
            location,
            capacity,
            used,
            requested,
            running: 0,
            holders,
            ahead: 0,
            next: None,
            gate,
        })
    }

    #[test]
    fn a_closed_gate_is_named_by_whose_it_is_as_far_as_that_is_known() {
        for (location, is_registrys, sentence) in [
            (Some("here"), Some(false), "here is draining: upgrade."),
            (Some("here"), Some(true), "the registry is draining: upgrade."),
            (Some("here"), None, "nothing starts: draining: upgrade."),
            (None, None, "the registry is draining: upgrade."),
            (None, Some(true), "the registry is draining: upgrade."),
        ] {
            assert_eq!(gate(location, is_registrys, Some("upgrade.")), sentence);
        }
        assert_eq!(gate(Some("here"), Some(false), None), "here is draining: no reason was given.");
    }
}
