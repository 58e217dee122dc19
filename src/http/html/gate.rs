//! The part of a form that opens and closes a location, or the whole registry.

use std::fmt::Write;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::layout::Layout;
use crate::domain::capacity::factor::Factor;
use crate::domain::gate::{Gate, GateState};
use crate::domain::history::readable_times;
use crate::http::request::fields::Fields;
use crate::present::gate::effect;
use crate::present::time::length;
use crate::present::zone::{ShownTime, Zone};

/// One of the states that can be chosen.
pub struct Choice {
    pub state: &'static str,
    /// What it means for what runs and waits.
    pub effect: String,
}

/// All states, where so many run, and so many of them with a lease.
pub fn choices(running: i64, leased: i64) -> [Choice; 3] {
    GateState::ALL.map(|state| Choice { state: state.as_str(), effect: effect(state, running, leased) })
}

/// A gate that is closed, as every page tells it by `gate_notice.html`.
pub struct Closed {
    /// What is closed, as a sentence begins with it.
    pub what: &'static str,
    /// Draining or stopped.
    pub state: &'static str,
    pub until: Option<ShownTime>,
    pub reason: Option<String>,
    pub by: Option<String>,
}

impl Closed {
    pub const LOCATION: &str = "The location";
    pub const REGISTRY: &str = "The whole registry";

    /// Nothing if it is open.
    pub fn of(what: &'static str, gate: &Gate, layout: &Layout) -> Option<Self> {
        let gate = gate.at(layout.now);
        (!gate.is_open()).then(|| Self {
            what,
            state: gate.state.as_str(),
            until: gate.until.map(|until| layout.time(until)),
            reason: gate.reason,
            by: gate.by,
        })
    }
}

/// What stands in the fields of a gate.
pub fn values(gate: &Gate, zone: &Zone) -> Vec<(&'static str, String)> {
    vec![
        ("state", gate.state.as_str().to_owned()),
        ("reason", gate.reason.clone().unwrap_or_default()),
        ("until", gate.until.map(|until| typed_time(until, zone)).unwrap_or_default()),
        ("after", String::new()),
    ]
}

/// Stands in a form for the setting that it has shown, so that a change by somebody else meanwhile is noticed.
pub fn mark(capacity: Option<Factor>, gate: &Gate) -> String {
    let Gate { state, reason, by, until } = gate;
    let digest = Sha256::digest(format!("{capacity:?} {state:?} {reason:?} {by:?} {until:?}"));
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether the two say the same; who has set them does not count.
pub fn is_same(one: &Gate, other: &Gate) -> bool {
    (one.state, &one.reason, one.until) == (other.state, &other.reason, other.until)
}

/// When it opens by itself: the field `until` is a time in the zone of the page, `after` a length of time from now. The time
/// that `shown` has, if it was left as it was, is not cut to what the field can show of it.
pub fn read_until(fields: &mut Fields, shown: &Gate, layout: &Layout) -> Option<Timestamp> {
    let (until, after) = (fields.string("until"), fields.string("after"));
    let kept = shown.until.filter(|shown| until.as_deref() == Some(&typed_time(*shown, &layout.zone)));
    match (until, after) {
        (_, Some(after)) if kept.is_some() => read_after(fields, &after, layout.now),
        (Some(_), None) if kept.is_some() => kept,
        (Some(_), Some(_)) => {
            fields.reject("after", "must be empty where a time is given");
            None
        }
        (Some(until), None) => {
            let read = time_in_zone(&until, &layout.zone).ok_or("must be a day and a time such as 2026-11-30 16:00");
            fields.take_result("until", read)
        }
        (None, Some(after)) => read_after(fields, &after, layout.now),
        (None, None) => None,
    }
}

fn read_after(fields: &mut Fields, after: &str, now: Timestamp) -> Option<Timestamp> {
    let length = length(after.trim()).filter(SignedDuration::is_positive);
    let time = length.and_then(|length| now.checked_add(length).ok()).filter(|time| is_readable(*time));
    fields.take_result("after", time.ok_or("must be a length of time such as 30m, 2h or 1d"))
}

fn time_in_zone(text: &str, zone: &Zone) -> Option<Timestamp> {
    // A day alone would leave open where it begins.
    let here = || {
        let at: DateTime = text.trim().parse().ok().filter(|_| text.contains(':'))?;
        at.to_zoned(zone.time_zone().clone()).ok().map(|zoned| zoned.timestamp())
    };
    text.trim().parse().ok().or_else(here).filter(|time| is_readable(*time))
}

fn is_readable(time: Timestamp) -> bool {
    let (earliest, latest) = readable_times();
    (earliest..=latest).contains(&time)
}

/// As a browser's field for a time has it.
fn typed_time(time: Timestamp, zone: &Zone) -> String {
    let at = time.to_zoned(zone.time_zone().clone());
    let format = if at.second() == 0 { "%Y-%m-%dT%H:%M" } else { "%Y-%m-%dT%H:%M:%S" };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;
    use crate::http::error::ApiError;

    const NOW: &str = "2026-11-29T12:00:00Z";

    fn read(until: &str, after: &str, shown: Option<&str>) -> Result<Option<String>, String> {
        let mut layout = Layout::new(&"/registry".parse().expect("a URI"), &HeaderMap::new());
        layout.now = NOW.parse().expect("a time");
        layout.zone = Zone::named("Europe/Berlin").expect("a zone");
        let shown = Gate { until: shown.map(|time| time.parse().expect("a time")), ..Gate::OPEN };
        let pairs = [("until", until), ("after", after)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut fields = Fields::of_form(&pairs).expect("each once");
        let read = read_until(&mut fields, &shown, &layout).map(|time| time.to_string());
        match fields.finish(Some(read)) {
            Ok(read) => Ok(read),
            Err(ApiError::Invalid(errors)) => Err(format!("{} {}", errors[0].field, errors[0].message)),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_time_is_read_in_the_zone_of_the_page_or_from_now() {
        let shown = Some("2026-11-30T15:00:30.5Z");
        for (until, after, shown, expected) in [
            ("", "", None, None),
            ("2026-11-30T16:00", "", None, Some("2026-11-30T15:00:00Z")),
            ("2026-11-30 16:00", "", None, Some("2026-11-30T15:00:00Z")),
            ("2026-11-30T16:00:00Z", "", None, Some("2026-11-30T16:00:00Z")),
            ("", "2h", None, Some("2026-11-29T14:00:00Z")),
            ("", "1d 2h", shown, Some("2026-11-30T14:00:00Z")),
            ("2026-11-30T16:00:30", "", shown, shown),
            ("2026-11-30T16:00:30", "30m", shown, Some("2026-11-29T12:30:00Z")),
            ("", "", shown, None),
        ] {
            assert_eq!(read(until, after, shown), Ok(expected.map(str::to_owned)), "{until} {after}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_an_example() {
        for (until, after, words) in [
            ("2026-11-30", "", "until must be a day and a time such as"),
            ("soon", "", "until must be a day and a time such as"),
            ("9999-12-31T23:59", "", "until must be a day and a time such as"),
            ("", "soon", "after must be a length of time such as 30m"),
            ("", "-2h", "after must be a length of time"),
            ("", "0s", "after must be a length of time"),
            ("", "9999999999h", "after must be a length of time"),
            ("2026-11-30T16:00", "2h", "after must be empty where a time is given"),
        ] {
            let error = read(until, after, None).expect_err(until);
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn another_setting_has_another_mark() {
        let gate = |reason: &str| Gate { state: GateState::Draining, reason: Some(reason.to_owned()), ..Gate::OPEN };
        let marks = [
            mark(None, &Gate::OPEN),
            mark(Some(Factor::ONE), &Gate::OPEN),
            mark(None, &gate("a")),
            mark(None, &gate("b")),
        ];
        assert!(marks.iter().enumerate().all(|(index, mark)| !marks[..index].contains(mark)), "{marks:?}");
    }
}
