//! What is said of a run on its page and in its title, in the words of the page's zone.

use jiff::Timestamp;

use super::time::duration_text;
use super::zone::Zone;
use crate::domain::execution::{EndReason, Execution, Outcome, Status};
use crate::domain::schedule::neighbours::LONGEST_LOOK_BACK;

/// A difference below this many per cent is none.
const NOTABLE_PERCENT: i64 = 10;

/// What is expected of a run that has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    pub expected_end: Option<Timestamp>,
    /// 1 goes next; none for one that is passed over.
    pub position: Option<usize>,
    pub estimated_start: Option<Timestamp>,
}

/// Something that a person should know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What it is, which is also the class of its look.
    pub kind: &'static str,
    pub icon: &'static str,
    /// In a word or three.
    pub word: &'static str,
    /// What that means, and what to do.
    pub sentence: String,
}

/// How it stands, for a title: `checkout-peak 18403 runs, ≈ until 14:43`.
#[must_use]
pub fn headline(run: &Execution, outlook: Outlook, zone: &Zone, now: Timestamp) -> String {
    let time = |time: Timestamp| zone.time(time, now).text;
    let state = match (run.status, run.end_reason) {
        (Status::Queued, _) => match (outlook.position, outlook.estimated_start) {
            (None, _) if run.is_suspect() => "waits and is passed over".to_owned(),
            (None, _) => "waits".to_owned(),
            (Some(position), Some(start)) => format!("waits, position {position}, ≈ from {}", time(start)),
            (Some(position), None) => format!("waits, position {position}"),
        },
        (Status::Running, _) if run.stop.is_some() => "runs, asked to stop".to_owned(),
        (Status::Running, _) if run.is_suspect() => "runs without a heartbeat".to_owned(),
        (Status::Running, _) if run.is_overdue(now) => "runs, overdue".to_owned(),
        (Status::Running, _) => match outlook.expected_end {
            Some(end) => format!("runs, ≈ until {}", time(end)),
            None => format!("runs since {}", time(run.start_time)),
        },
        (Status::Ended(outcome), reason) => format!("{}{}", end(run, outcome, reason), after(run)),
    };
    format!("{} {} {state}", run.details.test, run.run_id)
}

/// Where it runs, with how much, since when and by whom, as text for those who are sent a link.
#[must_use]
pub fn description(run: &Execution, zone: &Zone, now: Timestamp) -> String {
    let details = &run.details;
    let place = details.location.as_ref().map_or_else(
        || "Without a location".to_owned(),
        |name| match run.factor_text() {
            Some(factor) => format!("{factor} at {name}"),
            None => format!("At {name}"),
        },
    );
    let since = match (run.status, run.has_started(), run.end_time) {
        (Status::Queued, ..) => format!("waits since {}", zone.time(run.start_time, now).text),
        (_, true, Some(end)) => {
            format!("{} to {}", zone.time(run.start_time, now).text, zone.time_after(end, run.start_time, now).text)
        }
        (_, true, None) => format!("since {}", zone.time(run.start_time, now).text),
        (_, false, _) => "never started".to_owned(),
    };
    let zone = zone.name();
    format!("{place}, {since} ({zone}). {}, {}, by {}.", details.repo, details.stream, details.triggered_by)
}

/// How it ended, in words that go on.
fn end(run: &Execution, outcome: Outcome, reason: Option<EndReason>) -> &'static str {
    match (reason, outcome) {
        (Some(EndReason::Lost), _) => "was lost",
        (Some(EndReason::WaitTimeout), _) => "gave up waiting",
        (Some(EndReason::NotHeard), _) => "lost its place",
        (Some(EndReason::CannotFit), _) => "can no longer fit",
        (None, Outcome::Success) => "succeeded",
        (None, Outcome::Failure) => "failed",
        (None, Outcome::Cancelled) if run.has_started() => "was cancelled",
        (None, Outcome::Cancelled) => "was cancelled while it waited",
    }
}

fn after(run: &Execution) -> String {
    let begin = if run.has_started() { run.start_time } else { queued_at(run) };
    run.end_time.map(|end| format!(" after {}", duration_text(end.duration_since(begin)))).unwrap_or_default()
}

/// Since when it waits or waited, or else when it started.
#[must_use]
pub fn queued_at(run: &Execution) -> Timestamp {
    run.place.as_ref().map_or(run.start_time, |place| place.queued_at)
}

/// Everything that a person should know of it, the most urgent first.
#[must_use]
pub fn remarks(run: &Execution, now: Timestamp) -> Vec<Remark> {
    let is_running = run.status == Status::Running;
    let stop = run.stop.as_ref().filter(|_| is_running).map(|stop| Remark {
        kind: "stopping",
        icon: "stopping",
        word: "asked to stop",
        sentence: format!(
            "asked to stop{} at {:.0}: {}. Its runner ends the load first; until then it holds its share.",
            stop.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default(),
            stop.at,
            stop.reason.trim_end_matches('.')
        ),
    });
    let overdue = run.is_overdue(now).then(|| Remark {
        kind: "overdue",
        icon: "warning",
        word: "overdue",
        sentence: format!(
            "it has run more than {} times as long as expected, which was {}. Look whether its load still runs, and end it if \
             not.",
            Execution::OVERDUE_AFTER,
            run.expected_seconds.map(|seconds| duration_text(jiff::SignedDuration::from_secs(seconds.into()))).unwrap_or_default(),
        ),
    });
    let adopted = (is_running && run.is_adopted()).then(|| Remark {
        kind: "overdue",
        icon: "warning",
        word: "adopted",
        sentence:
            "it was running in the database of the original when that was adopted. Complete or cancel it once its load \
                   has ended; until then it holds its share."
                .to_owned(),
    });
    stop.into_iter().chain(suspect(run)).chain(overdue).chain(adopted).chain(lost(run)).collect()
}

/// A heartbeat that did not come.
fn suspect(run: &Execution) -> Option<Remark> {
    if !run.is_suspect() {
        return None;
    }
    let since = run.heard_at().map(|heard| format!(" since {heard:.0}")).unwrap_or_default();
    let sentence = if run.is_queued() {
        format!("no heartbeat came from its runner{since}. Others start before it until it is heard of again.")
    } else {
        format!(
            "no heartbeat came{since}. It holds its share for another lease, and is ended as a failure if none comes until then."
        )
    };
    let word = if run.is_queued() { "passed over" } else { "no heartbeat" };
    Some(Remark { kind: "suspect", icon: "warning", word, sentence })
}

/// An end that others have decided.
fn lost(run: &Execution) -> Option<Remark> {
    let (word, sentence) = match run.end_reason? {
        EndReason::Lost => (
            "lost",
            "no heartbeat came for two leases, so it was ended as a failure and its share given back. Its load may have gone on.",
        ),
        EndReason::NotHeard => {
            ("lost its place", "no heartbeat came from its runner while it waited. Register the test again to run it.")
        }
        EndReason::WaitTimeout => (
            "gave up",
            "it waited as long as it wanted to, and there was no room. Register it again with a larger wait_seconds to wait longer.",
        ),
        EndReason::CannotFit => (
            "cannot fit",
            "the capacity was set so low that it could never start. Register it again with a smaller factor.",
        ),
    };
    Some(Remark { kind: "overdue", icon: "warning", word, sentence: sentence.to_owned() })
}

/// How a duration compares with the usual one.
#[must_use]
pub fn comparison(percent_longer: i64) -> String {
    match percent_longer {
        longer if longer >= NOTABLE_PERCENT => format!("{longer}% longer than usual"),
        shorter if shorter <= -NOTABLE_PERCENT => format!("{}% shorter than usual", -shorter),
        _ => "about as long as usual".to_owned(),
    }
}

/// Beside how many others it ran, where it ran at all.
#[must_use]
pub fn beside(run: &Execution, count: usize) -> String {
    let is_running = run.status == Status::Running;
    if run.details.location.is_none() {
        return "It names no location, so nothing counts as beside it.".to_owned();
    }
    if !is_running && run.end_time.is_none() {
        return "When it ended is not known, so what ran beside it is not known either.".to_owned();
    }
    match (count, is_running) {
        (0, true) => "It runs alone.".to_owned(),
        (0, false) => "It ran alone.".to_owned(),
        (1, true) => "1 other run has shared the location with it so far.".to_owned(),
        (count, true) => format!("{count} other runs have shared the location with it so far."),
        (1, false) => "1 other run shared the location with it.".to_owned(),
        (count, false) => format!("{count} other runs shared the location with it."),
    }
}

/// How far a look for those beside a run goes back.
#[must_use]
pub fn look_back() -> String {
    let days = LONGEST_LOOK_BACK.as_hours() / 24;
    format!("A run that began more than {days} days before this one, and has ended, would not be found.")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::execution::lease::{Lease, TokenHash};
    use crate::domain::execution::{Registration, RunId, Stop};

    fn at(second: i64) -> Timestamp {
        "2026-11-24T12:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(second)
    }

    fn running() -> Execution {
        let lease = Some((60, TokenHash("x".to_owned())));
        let registration = Registration { lease, expected_seconds: Some(600), ..Registration::example() };
        Execution::started(&registration, RunId(7), at(0), 1)
    }

    fn told(run: &Execution, outlook: Outlook) -> String {
        headline(run, outlook, &Zone::UTC, at(60))
    }

    #[test]
    fn a_title_says_first_how_the_run_stands() {
        let nothing = Outlook::default();
        let stop = Stop { reason: "wrong build".to_owned(), by: None, at: at(1) };
        let lease = running().lease.map(|lease| Lease { suspect: true, ..lease });
        let waiting =
            Execution::queued(&Registration { wait_seconds: 600, ..Registration::example() }, RunId(7), at(0));
        let ended = |run: &Execution, outcome, reason| run.end(outcome, reason, at(95)).expect("it has not ended");
        let turn = Outlook { position: Some(2), estimated_start: Some(at(180)), ..nothing };
        for (run, outlook, title) in [
            (running(), Outlook { expected_end: Some(at(600)), ..nothing }, "x 7 runs, ≈ until 12:10"),
            (running(), nothing, "x 7 runs since 12:00"),
            (Execution { stop: Some(stop), ..running() }, nothing, "x 7 runs, asked to stop"),
            (Execution { lease, ..running() }, nothing, "x 7 runs without a heartbeat"),
            (Execution { expected_seconds: Some(1), ..running() }, nothing, "x 7 runs, overdue"),
            (waiting.clone(), turn, "x 7 waits, position 2, ≈ from 12:03"),
            (waiting.clone(), Outlook { position: Some(1), ..nothing }, "x 7 waits, position 1"),
            (waiting.clone(), nothing, "x 7 waits"),
            (ended(&running(), Outcome::Success, None), nothing, "x 7 succeeded after 1m 35s"),
            (ended(&running(), Outcome::Failure, Some(EndReason::Lost)), nothing, "x 7 was lost after 1m 35s"),
            (ended(&running(), Outcome::Cancelled, None), nothing, "x 7 was cancelled after 1m 35s"),
            (ended(&waiting, Outcome::Cancelled, None), nothing, "x 7 was cancelled while it waited after 1m 35s"),
            (
                ended(&waiting, Outcome::Cancelled, Some(EndReason::WaitTimeout)),
                nothing,
                "x 7 gave up waiting after 1m 35s",
            ),
        ] {
            assert_eq!(told(&run, outlook), title);
        }
    }

    #[test]
    fn a_description_names_the_zone_of_its_times() {
        let run = running();
        assert_eq!(description(&run, &Zone::UTC, at(60)), "Without a location, since 12:00 (UTC). x, x, by x.");
        let ended = run.end(Outcome::Success, None, at(120)).expect("it runs");
        let lisbon = Zone::named("Europe/Lisbon").expect("a zone");
        assert!(description(&ended, &lisbon, at(300)).contains("12:00 to 12:02 (Europe/Lisbon)"));
    }

    #[test]
    fn several_things_may_be_remarked_on_at_once() {
        let lease = running().lease.map(|lease| Lease { suspect: true, ..lease });
        let stop = Some(Stop { reason: "wrong build.".to_owned(), by: Some("ana".to_owned()), at: at(1) });
        let run = Execution { lease, stop, expected_seconds: Some(1), ..running() };
        let words: Vec<_> = remarks(&run, at(60)).iter().map(|remark| remark.word).collect();
        assert_eq!(words, ["asked to stop", "no heartbeat", "overdue"]);
        assert_eq!(remarks(&running(), at(60)), []);
        assert!(
            remarks(&run, at(60))[0]
                .sentence
                .starts_with("asked to stop by ana at 2026-11-24T12:00:01Z: wrong build. ")
        );
    }

    #[test]
    fn what_is_usual_is_not_told_in_per_cent() {
        for (percent, text) in
            [(12, "12% longer than usual"), (-10, "10% shorter than usual"), (9, "about as long as usual")]
        {
            assert_eq!(comparison(percent), text);
        }
    }
}
