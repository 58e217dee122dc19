//! What happened, as a body and as a sentence.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use super::cause::{ClosedGate, HolderInTheWay, InTheWay, explain};
use super::time::duration_text;
use crate::domain::answer::Cause;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::LocationName;
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

/// The capacity that was weighed, if there was one.
#[must_use]
pub fn capacity(event: &SavedEvent) -> Option<String> {
    Told::of(event).known("capacity")
}

/// The status that a run ended with, if this tells an end.
#[must_use]
pub fn end_of(event: &SavedEvent) -> Option<&'static str> {
    let status: Status = Told::of(event).known("status")?.parse().ok()?;
    Some(status.as_str())
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

    fn factor(&self, name: &str) -> Factor {
        self.known(name).and_then(|text| Factor::parse(&text).ok()).unwrap_or_default()
    }

    /// Whether the gate that it tells of was the registry's; a version before did not note it.
    fn is_registrys(&self) -> Option<bool> {
        self.known("closed_by_registry").and_then(|text| text.parse().ok())
    }

    /// What kept it from starting.
    fn obstacle(&self) -> String {
        let cause = self.text("cause");
        match Cause::ALL.into_iter().find(|known| known.as_str() == cause) {
            Some(cause) => explain(&self.in_the_way(cause, &self.text("state"), self.known("reason").as_deref())),
            None => self.wrong_request(&cause),
        }
        .trim_end_matches('.')
        .to_owned()
    }

    fn in_the_way<'known>(
        &'known self,
        cause: Cause,
        state: &'known str,
        reason: Option<&'known str>,
    ) -> InTheWay<'known> {
        let until = self.known("until").and_then(|text| text.parse().ok());
        let first_ahead =
            self.facts.get("first_ahead").and_then(|raw| serde_json::from_str::<Vec<i64>>(raw.get()).ok());
        InTheWay {
            cause,
            location: self.event.location.as_ref().map(LocationName::as_str),
            capacity: self.factor("capacity"),
            used: self.factor("running_factor"),
            requested: self.factor("requested_factor"),
            running: self.count("running"),
            holders: self.holders(),
            ahead: self.count("ahead"),
            next: first_ahead.and_then(|runs| runs.first().copied()),
            gate: ClosedGate { state, until, reason, is_registrys: self.is_registrys() },
        }
    }

    fn holders(&self) -> Vec<HolderInTheWay<'_>> {
        #[derive(serde::Deserialize)]
        struct Holder<'text> {
            run_id: i64,
            #[serde(borrow)]
            factor: &'text RawValue,
        }
        let holders = self.facts.get("blocking").and_then(|raw| serde_json::from_str::<Vec<Holder>>(raw.get()).ok());
        let in_the_way = |Holder { run_id, factor }: Holder| {
            let factor = Factor::parse(factor.get()).unwrap_or_default();
            HolderInTheWay { run_id, factor, details: None }
        };
        holders.unwrap_or_default().into_iter().map(in_the_way).collect()
    }

    /// What was wrong with a registration, whatever ran and waited.
    fn wrong_request(&self, cause: &str) -> String {
        match cause {
            "too_large" => {
                let largest =
                    if self.event.location.is_some() { self.factor("capacity").just_below() } else { Factor::ONE };
                let asked = self.text("requested_factor");
                format!("{asked} is more than may be asked for; the largest factor that fits is {largest}")
            }
            "key_reused" => "its Idempotency-Key was used for another request".to_owned(),
            "unknown_location" => "the location is not known, and only known ones are taken".to_owned(),
            _ => cause.replace('_', " "),
        }
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
            _ => match (self.is_registrys(), &self.event.location) {
                (Some(true), _) | (_, None) => "the registry was stopped before its waiter had heard of it",
                (Some(false), Some(_)) => "its location was stopped before its waiter had heard of it",
                (None, Some(_)) => "everything was stopped before its waiter had heard of it",
            },
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
