//! What happened, as a body and as a sentence.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use super::time::duration_text;
use crate::domain::answer::Cause;
use crate::domain::event::{EventKind, SavedEvent};
use crate::domain::execution::{EndReason, Outcome, Status};
use crate::wire;

#[must_use]
pub fn to_wire(event: &SavedEvent) -> wire::event::Event {
    wire::event::Event {
        id: event.id.to_string(),
        at: event.at,
        kind: event.kind.clone(),
        run_id: event.run_id.map(|run_id| run_id.0),
        location: event.location.as_ref().map(ToString::to_string),
        by: event.by.clone(),
        text: sentence(event),
        details: RawValue::from_string(event.facts.clone()).unwrap_or_default(),
    }
}

/// The event in a sentence. Of a kind that only a newer version knows, the kind's word is all there is to say.
#[must_use]
pub fn sentence(event: &SavedEvent) -> String {
    let told = Told::of(event);
    let (run, place) = (told.run(), told.place());
    match event.kind.parse() {
        Ok(EventKind::Queued) => format!("{run} waits {}: {}", told.for_place(), told.obstacle()),
        Ok(EventKind::Started) => told.start(),
        Ok(EventKind::StartWithdrawn) => told.withdrawal(),
        Ok(EventKind::Refused) => told.refusal(),
        Ok(EventKind::Suspect) => format!("{run} missed a heartbeat"),
        Ok(EventKind::Recovered) => format!("{run} was heard of again"),
        Ok(EventKind::StopRequested) => format!("{run} was asked to stop{}{}", told.by(), told.reason()),
        Ok(EventKind::TakenBack) => format!("{run} is counted again; the database had forgotten it"),
        Ok(EventKind::Moved) => {
            format!(
                "{run} moved from {} to {}, since the two became one location",
                told.text("from"),
                told.text("into")
            )
        }
        Ok(EventKind::Ended) => told.end(),
        Ok(EventKind::LateWord) => {
            format!("{} for {run}, which had ended otherwise; that stays", told.claim())
        }
        Ok(EventKind::WordRefused) => told.refused_claim(),
        Ok(EventKind::LocationSet) => told.setting(&place),
        Ok(EventKind::RegistrySet) => told.setting("the registry"),
        Ok(EventKind::LocationOpened) => format!("{place} opened by itself, as was set"),
        Ok(EventKind::RegistryOpened) => "the registry opened by itself, as was set".to_owned(),
        Ok(EventKind::LocationDeleted) => format!("{place} was deleted{}", told.by()),
        Ok(EventKind::LocationMerged) => told.merging(),
        Ok(EventKind::Resumed) => told.return_of_the_registry(),
        Err(_) => event.kind.replace('_', " "),
    }
}

/// An event whose facts can be asked for by name.
struct Told<'event> {
    event: &'event SavedEvent,
    facts: HashMap<&'event str, &'event RawValue>,
}

impl<'event> Told<'event> {
    fn of(event: &'event SavedEvent) -> Self {
        Self { event, facts: serde_json::from_str(&event.facts).unwrap_or_default() }
    }

    /// A fact as it is written, or nothing where there is none.
    fn known(&self, name: &str) -> Option<String> {
        let raw = self.facts.get(name)?.get();
        Some(serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned())).filter(|text: &String| text != "null")
    }

    /// A fact as it is written, or a question mark in a sentence that cannot do without it.
    fn text(&self, name: &str) -> String {
        self.known(name).unwrap_or_else(|| "?".to_owned())
    }

    fn count(&self, name: &str) -> i64 {
        self.known(name).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    fn duration(&self, name: &str) -> Option<String> {
        let seconds = self.known(name)?.parse().ok()?;
        Some(duration_text(SignedDuration::from_secs(seconds)))
    }

    fn run(&self) -> String {
        self.event.run_id.map_or_else(|| "a test".to_owned(), |run_id| format!("run {run_id}"))
    }

    fn place(&self) -> String {
        self.event.location.as_ref().map_or_else(|| "no location".to_owned(), ToString::to_string)
    }

    fn for_place(&self) -> String {
        self.event.location.as_ref().map_or_else(|| "without a location".to_owned(), |name| format!("for {name}"))
    }

    fn at_place(&self) -> String {
        self.event.location.as_ref().map_or_else(|| "without a location".to_owned(), |name| format!("at {name}"))
    }

    fn by(&self) -> String {
        self.event.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default()
    }

    fn reason(&self) -> String {
        self.known("reason").map(|reason| format!(": {}", reason.trim_end_matches('.'))).unwrap_or_default()
    }

    fn until(&self) -> String {
        let until = self.known("until").and_then(|text| text.parse::<Timestamp>().ok());
        until.map(|until| format!(" until {until:.0}")).unwrap_or_default()
    }

    /// What kept it from starting.
    fn obstacle(&self) -> String {
        let cause = self.text("cause");
        match Cause::ALL.into_iter().find(|known| known.as_str() == cause) {
            Some(Cause::NoRoom) => format!(
                "{} is in use and {} more would not stay below {}{}",
                self.text("running_factor"),
                self.text("requested_factor"),
                self.text("capacity"),
                self.holders()
            ),
            Some(Cause::NeverFits) => format!(
                "{} can never run where the sum must stay below {}",
                self.text("requested_factor"),
                self.text("capacity")
            ),
            Some(Cause::Queue) => match self.count("ahead") {
                1 => format!("1 test waits already and goes first{}", self.ahead()),
                ahead => format!("{ahead} tests wait already and go first{}", self.ahead()),
            },
            Some(Cause::QueueFull) => format!("{} tests wait already, and no more are taken on", self.count("ahead")),
            Some(Cause::Gate) => format!("it is {}{}{}", self.text("state"), self.until(), self.reason()),
            None => match cause.as_str() {
                "too_large" => format!("{} is more than may be asked for", self.text("requested_factor")),
                "key_reused" => "its Idempotency-Key was used for another request".to_owned(),
                "unknown_location" => "the location is not known, and only known ones are taken".to_owned(),
                _ => cause.replace('_', " "),
            },
        }
    }

    fn holders(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Holder<'text> {
            run_id: i64,
            #[serde(borrow)]
            factor: &'text RawValue,
        }
        let holders = self.facts.get("blocking").and_then(|raw| serde_json::from_str::<Vec<Holder>>(raw.get()).ok());
        let holders = holders.unwrap_or_default();
        let named: Vec<String> =
            holders.iter().take(3).map(|one| format!("run {} ({})", one.run_id, one.factor.get())).collect();
        match (named.is_empty(), self.count("running") - named.len() as i64) {
            (true, _) => String::new(),
            (false, more @ 1..) => format!("; held by {} and {more} more", named.join(", ")),
            (false, _) => format!("; held by {}", named.join(", ")),
        }
    }

    fn ahead(&self) -> String {
        let runs = self.facts.get("first_ahead").and_then(|raw| serde_json::from_str::<Vec<i64>>(raw.get()).ok());
        let first = runs.as_deref().and_then(<[i64]>::first).map(|run_id| format!("; run {run_id} is the next"));
        first.unwrap_or_default()
    }

    fn start(&self) -> String {
        let beside = match self.count("running") {
            0 => "alone".to_owned(),
            _ => format!("beside {}", self.text("running_factor")),
        };
        let waited = self.duration("waited_seconds").map(|waited| format!(", after waiting {waited}"));
        let share = format!("with {} of {}, {beside}", self.text("requested_factor"), self.text("capacity"));
        let share = if self.event.location.is_some() { format!(" {share}") } else { String::new() };
        format!("{} started {}{share}{}", self.run(), self.at_place(), waited.unwrap_or_default())
    }

    fn withdrawal(&self) -> String {
        let why = match self.text("cause").as_str() {
            "not_told" => "its waiter had not heard of it in time",
            _ => "its location was closed before its waiter had heard of it",
        };
        format!("the start of {} was withdrawn, since {why}; it waits again", self.run())
    }

    fn refusal(&self) -> String {
        let test = self.known("test").map_or_else(|| self.run(), |test| format!("test {test}"));
        format!("{test}{} was refused {}: {}", self.by(), self.at_place(), self.obstacle())
    }

    fn end(&self) -> String {
        let (run, status) = (self.run(), self.text("status"));
        let after = |name| self.duration(name).map(|duration| format!(" after {duration}")).unwrap_or_default();
        let (ran, waited) = (after("ran_seconds"), after("waited_seconds"));
        match self.known("end_reason").and_then(|reason| reason.parse().ok()) {
            Some(EndReason::WaitTimeout) => return format!("{run} gave up waiting{waited}"),
            Some(EndReason::NotHeard) => {
                return format!("{run} lost its place{waited}, since its runner went silent");
            }
            Some(EndReason::Lost) => return format!("{run} was declared lost{ran}, since no heartbeat came"),
            Some(EndReason::CannotFit) => {
                return format!("{run} no longer waits, since it can never fit the capacity that was set");
            }
            None => {}
        }
        match status.parse() {
            Ok(Status::Ended(Outcome::Success)) => format!("{run} succeeded{ran}"),
            Ok(Status::Ended(Outcome::Failure)) => format!("{run} failed{ran}"),
            Ok(Status::Ended(Outcome::Cancelled)) if ran.is_empty() => {
                format!("{run} was cancelled{} while it waited{}", self.by(), self.reason())
            }
            _ => format!("{run} was {status}{}{ran}{}", self.by(), self.reason()),
        }
    }

    /// What somebody said of a run.
    fn claim(&self) -> String {
        match self.text("claimed").as_str() {
            "alive" => "a heartbeat came".to_owned(),
            claimed => format!("{claimed} was reported"),
        }
    }

    fn refused_claim(&self) -> String {
        let why = match self.text("cause").as_str() {
            "not_started" => "before it had started",
            _ => "without its lease token",
        };
        format!("{} for {} {why}, and was refused", self.claim(), self.run())
    }

    /// The capacity or the gate that was set.
    fn setting(&self, what: &str) -> String {
        let capacity = self.known("capacity").map(|capacity| {
            let before = self.known("capacity_before").map(|before| format!(" ({before} before)")).unwrap_or_default();
            format!("the capacity of {what} was set to {capacity}{before}")
        });
        let gate = self.known("state").map(|state| format!("{what} was set to {state}{}", self.until()));
        let set: Vec<String> = capacity.into_iter().chain(gate).collect();
        let set = if set.is_empty() { format!("{what} was set") } else { set.join(", and ") };
        format!("{set}{}{}", self.by(), self.reason())
    }

    fn merging(&self) -> String {
        format!(
            "{} was merged into {}{}; {} running and {} waiting moved",
            self.text("from"),
            self.text("into"),
            self.by(),
            self.count("moved_running"),
            self.count("moved_waiting")
        )
    }

    fn return_of_the_registry(&self) -> String {
        let since = self.known("silent_since").and_then(|text| text.parse::<Timestamp>().ok());
        let since = since.map(|since| format!(", silent since {since:.0}")).unwrap_or_default();
        format!("the registry is back{since}; every lease counts from now")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::capacity::location::LocationName;
    use crate::domain::event::EventId;
    use crate::domain::execution::RunId;

    fn told(kind: EventKind, by: Option<&str>, facts: &str) -> String {
        let is_of_a_run = !matches!(
            kind,
            EventKind::Refused
                | EventKind::LocationSet
                | EventKind::LocationOpened
                | EventKind::LocationDeleted
                | EventKind::LocationMerged
                | EventKind::RegistrySet
                | EventKind::RegistryOpened
                | EventKind::Resumed
        );
        sentence(&SavedEvent {
            id: EventId::default(),
            at: Timestamp::UNIX_EPOCH,
            kind: kind.as_str().to_owned(),
            run_id: is_of_a_run.then_some(RunId(8)),
            location: Some(LocationName::new("azure-k8s")),
            by: by.map(str::to_owned),
            facts: facts.to_owned(),
        })
    }

    const NO_ROOM: &str = r#"{"cause":"no_room","requested_factor":0.5,"capacity":1,"running_factor":0.700001,"running":5,
        "test":"soak","blocking":[{"run_id":3,"factor":0.4},{"run_id":4,"factor":0.1}]}"#;

    #[test]
    fn a_test_that_may_not_start_is_told_of_with_what_is_in_its_way() {
        assert_eq!(
            told(EventKind::Queued, Some("ana"), NO_ROOM),
            "run 8 waits for azure-k8s: 0.700001 is in use and 0.5 more would not stay below 1; held by run 3 (0.4), run 4 \
             (0.1) and 3 more"
        );
        assert_eq!(
            told(EventKind::Refused, Some("ana"), r#"{"cause":"queue","ahead":2,"first_ahead":[5,6],"test":"soak"}"#),
            "test soak by ana was refused at azure-k8s: 2 tests wait already and go first; run 5 is the next"
        );
        let gate =
            r#"{"cause":"gate","state":"draining","reason":"release.","until":"2026-11-22T16:00:00Z","test":"soak"}"#;
        assert_eq!(
            told(EventKind::Refused, None, gate),
            "test soak was refused at azure-k8s: it is draining until 2026-11-22T16:00:00Z: release"
        );
    }

    #[test]
    fn a_start_says_beside_how_much_and_after_which_wait() {
        let alone = r#"{"requested_factor":0.5,"capacity":1,"running_factor":0,"running":0,"fence":1}"#;
        assert_eq!(told(EventKind::Started, None, alone), "run 8 started at azure-k8s with 0.5 of 1, alone");
        let beside = r#"{"requested_factor":0.5,"capacity":1,"running_factor":0.3,"running":1,"waited_seconds":720}"#;
        assert_eq!(
            told(EventKind::Started, None, beside),
            "run 8 started at azure-k8s with 0.5 of 1, beside 0.3, after waiting 12m"
        );
    }

    #[test]
    fn an_end_says_how_and_why() {
        for (facts, by, expected) in [
            (r#"{"status":"success","ran_seconds":303}"#, None, "run 8 succeeded after 5m 3s"),
            (r#"{"status":"failure","ran_seconds":0}"#, None, "run 8 failed after 0s"),
            (
                r#"{"status":"failure","end_reason":"lost","ran_seconds":90}"#,
                None,
                "run 8 was declared lost after 1m 30s, since no heartbeat came",
            ),
            (
                r#"{"status":"cancelled","end_reason":"wait_timeout","waited_seconds":60}"#,
                None,
                "run 8 gave up waiting after 1m",
            ),
            (
                r#"{"status":"cancelled","reason":"no need","waited_seconds":60}"#,
                Some("ana"),
                "run 8 was cancelled by ana while it waited: no need",
            ),
            (r#"{"status":"cancelled","ran_seconds":5}"#, Some("ana"), "run 8 was cancelled by ana after 5s"),
        ] {
            assert_eq!(told(EventKind::Ended, by, facts), expected);
        }
    }

    #[test]
    fn what_is_set_says_what_was_before_and_who_set_it() {
        let capacity = r#"{"capacity":2.5,"capacity_before":1}"#;
        let set = told(EventKind::LocationSet, Some("ops"), capacity);
        assert_eq!(set, "the capacity of azure-k8s was set to 2.5 (1 before) by ops");
        let gate = r#"{"state":"stopped","reason":"kernel upgrade","until":"2026-11-22T16:00:00Z"}"#;
        let stopped = told(EventKind::RegistrySet, Some("ops"), gate);
        assert_eq!(stopped, "the registry was set to stopped until 2026-11-22T16:00:00Z by ops: kernel upgrade");
    }

    #[test]
    fn every_kind_has_a_sentence_of_its_own_even_where_facts_are_missing() {
        let sentences: std::collections::HashSet<String> =
            EventKind::ALL.into_iter().map(|kind| told(kind, None, "{}")).collect();
        assert_eq!(sentences.len(), EventKind::ALL.len());
        for sentence in &sentences {
            assert!(sentence.contains(' ') && !sentence.contains('_') && !sentence.contains("  "), "{sentence}");
        }
    }
}
