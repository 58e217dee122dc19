//! What a person sees while a test waits.

use std::io::{self, Write};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::ticket::Standing;
use crate::cli::gate::word;
use crate::cli::output::{printable, say};
use crate::cli::terminal::{can_redraw, columns, fit};
use crate::present::time::duration_text;
use crate::wire::gate::GateState;
use crate::wire::room::{Blocking, Room};

/// In the log of a CI job, silence looks like a hang.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// What is shown, and what of it stays as it is until something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    shown: String,
    steady: String,
}

impl Line {
    pub fn of_problem(problem: &str) -> Self {
        Self { shown: printable(problem), steady: printable(problem) }
    }
}

/// When it will start, and what is in its way. A narrow terminal cuts the end, so what matters most comes first.
pub fn waiting(standing: &Standing, waited: Duration, now: Timestamp, zone: &TimeZone) -> Line {
    let position = standing.position.map(|position| format!(" at position {position}")).unwrap_or_default();
    let head = printable(&format!("run {} waits{position}", standing.run_id));
    // A time that is over says nothing while the location is still held.
    let estimate = standing.estimated_start.filter(|start| start.duration_since(now).as_secs() > 0).map(|start| {
        let clock = start.to_zoned(zone.clone()).strftime("%H:%M").to_string();
        format!(", starts in {} ({clock})", duration_text(start.duration_since(now)))
    });
    let obstacle = standing.waits_for.as_ref().map(obstacle).unwrap_or_default();
    let waited = duration_text(SignedDuration::try_from(waited).unwrap_or_default());
    Line {
        shown: format!("{head}{}{obstacle}; {waited} so far", estimate.unwrap_or_default()),
        steady: format!("{head}{obstacle}"),
    }
}

fn obstacle(room: &Room) -> String {
    let location = room.location.as_deref().unwrap_or("the registry");
    printable(&match (room.gate.state, &room.blocking[..]) {
        (GateState::Open, []) => format!("; {location} has no room for it yet"),
        (GateState::Open, [first, others @ ..]) => {
            let Blocking { run_id, test, triggered_by, factor, .. } = first;
            let hold =
                if others.is_empty() { "holds".to_owned() } else { format!("and {} more hold", room.running - 1) };
            format!("; run {run_id} ({test} by {triggered_by}, {factor}) {hold} {location}")
        }
        (state, _) => {
            let reason = room.gate.reason.as_deref().unwrap_or("no reason was given");
            format!("; {location} is {}: {reason}", word(state))
        }
    })
}

/// One line that is redrawn on a terminal; in a log, or where nothing can be redrawn, a line at each change, and one a
/// minute.
pub struct Progress {
    is_redrawn: bool,
    shown: Option<(String, Instant)>,
}

impl Progress {
    pub fn new() -> Self {
        Self { is_redrawn: can_redraw(&io::stderr()), shown: None }
    }

    pub fn show(&mut self, line: &Line) {
        if self.is_redrawn {
            let text = format!("perfreg: {}", line.shown);
            let _ = write!(io::stderr(), "\r\x1b[K{}", fit(&text, columns(io::stderr())));
        } else if self.is_due(&line.steady, Instant::now()) {
            say(&line.shown);
        }
    }

    /// Whether a log needs this line, noting that it has it then.
    fn is_due(&mut self, steady: &str, now: Instant) -> bool {
        let is_known =
            self.shown.as_ref().is_some_and(|(text, at)| text == steady && now.duration_since(*at) < LONGEST_SILENCE);
        if !is_known {
            self.shown = Some((steady.to_owned(), now));
        }
        !is_known
    }
}

impl Drop for Progress {
    /// Leaves the terminal's line to whatever comes next.
    fn drop(&mut self) {
        if self.is_redrawn {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn standing(changes: &serde_json::Value) -> Standing {
        let mut standing = json!({
            "run_id": 7, "status": "queued", "position": 2,
            "waits_for": {
                "location": "azure-k8s", "capacity": 1, "running_factor": 0.8, "requested_factor": 0.5,
                "available_factor": 0.2, "running": 3, "ahead": 1,
                "gate": {"state": "open", "reason": null, "by": null, "until": null},
                "blocking": [
                    {"run_id": 5, "test": "soak", "triggered_by": "a\u{7}na", "factor": 0.5, "start_time": "2026-11-22T14:00:00Z"},
                    {"run_id": 6, "test": "load", "triggered_by": "ben", "factor": 0.3, "start_time": "2026-11-22T14:00:00Z"},
                ],
            },
        });
        for (name, value) in changes.as_object().expect("changes are an object") {
            standing[name] = value.clone();
        }
        serde_json::from_str(&standing.to_string()).expect("an answer of the registry")
    }

    fn line(changes: &serde_json::Value) -> Line {
        let now = "2026-11-22T14:20:00Z".parse().expect("a time");
        waiting(&standing(changes), Duration::from_secs(80), now, &TimeZone::UTC)
    }

    #[test]
    fn a_waiter_sees_its_position_and_when_it_is_expected_to_start_before_who_is_in_its_way() {
        let obstacle = "; run 5 (soak by a\u{fffd}na, 0.5) and 2 more hold azure-k8s";
        let estimated = line(&json!({"estimated_start": "2026-11-22T14:32:00Z"}));
        let shown = format!("run 7 waits at position 2, starts in 12m (14:32){obstacle}; 1m 20s so far");
        assert_eq!(estimated.shown, shown);
        assert_eq!(estimated.steady, format!("run 7 waits at position 2{obstacle}"), "time alone is no change");
        let unknown = format!("run 7 waits at position 2{obstacle}; 1m 20s so far");
        assert_eq!(line(&json!({})).shown, unknown);
        let over = line(&json!({"estimated_start": "2026-11-22T14:20:00.9Z"}));
        assert_eq!(over.shown, unknown, "nothing starts in 0s while somebody holds the location");
    }

    #[test]
    fn a_waiter_behind_a_closed_gate_sees_the_reason() {
        let mut room = serde_json::to_value(standing(&json!({})).waits_for).expect("JSON");
        room["gate"] = json!({"state": "draining", "reason": "release", "by": null, "until": null});
        let closed = line(&json!({"waits_for": room}));
        assert_eq!(closed.steady, "run 7 waits at position 2; azure-k8s is draining: release");
    }

    #[test]
    fn a_log_has_a_line_at_each_change_and_one_a_minute() {
        let mut progress = Progress { is_redrawn: false, shown: None };
        let start = Instant::now();
        let due = |progress: &mut Progress, text, seconds| progress.is_due(text, start + Duration::from_secs(seconds));
        assert!(due(&mut progress, "position 2", 0));
        assert!(!due(&mut progress, "position 2", 59));
        assert!(due(&mut progress, "position 2", 60));
        assert!(due(&mut progress, "position 1", 61));
        assert!(!due(&mut progress, "position 1", 120));
    }
}
