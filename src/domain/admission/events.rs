//! What each decision leaves behind for those who ask later.

use super::batch::Batch;
use super::plan::Noted;
use crate::domain::answer::{Cause, Room};
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{Location, row_name};
use crate::domain::event::{Event, EventKind, Fact, Facts};
use crate::domain::execution::{EndReason, Execution, Registration, RunId, Stop};
use crate::domain::gate::Gate;

/// How many of those who go first an event names.
const MOST_AHEAD_NAMED: usize = 10;

impl Batch {
    pub fn note(&mut self, kind: EventKind, run_id: Option<RunId>, by: Option<String>, facts: Facts) {
        let event = Event::new(kind, run_id, by, facts);
        self.events.push(Noted { event, sighting: None });
    }

    /// To be called before the location counts the run as its own.
    pub fn note_start(&mut self, run: &Execution) {
        let mut facts = self.weighed_start(run);
        if let Some(place) = &run.place {
            let waited = self.now.duration_since(place.queued_at).as_secs().max(0);
            facts.push(("waited_seconds", Fact::Number(waited)));
        }
        self.note(EventKind::Started, Some(run.run_id), Some(run.details.triggered_by.clone()), facts);
    }

    /// To be called before the location counts the run as its own.
    pub fn note_taken_back(&mut self, run: &Execution) {
        let mut facts = self.weighed_start(run);
        facts.push(("start_time", Fact::Time(run.start_time)));
        self.note(EventKind::TakenBack, Some(run.run_id), Some(run.details.triggered_by.clone()), facts);
    }

    pub fn note_queued(&mut self, run: &Execution, cause: Cause) {
        let ahead = self.roster.queue().ahead_of(run, self.now);
        let (room, sighting) = self.room(run.factor(), ahead);
        let mut facts = self.obstacle_facts(cause, &room);
        facts.push(("priority", Fact::Number(run.priority.get().into())));
        facts.extend(run.place.as_ref().map(|place| ("wait_until", Fact::Time(place.until))));
        self.note(EventKind::Queued, Some(run.run_id), Some(run.details.triggered_by.clone()), facts);
        self.show(sighting);
    }

    /// A refused test has no run_id, so the event says which one it was.
    pub fn note_refusal(&mut self, registration: &Registration, cause: Cause, room: &Room, sighting: Option<usize>) {
        let mut facts = self.obstacle_facts(cause, room);
        facts.extend(identity(registration));
        self.note(EventKind::Refused, None, Some(registration.details.triggered_by.clone()), facts);
        self.show(sighting);
    }

    /// A refusal that nothing at the location is the cause of.
    pub fn note_wrong_request(&mut self, registration: &Registration, cause: &str) {
        let mut facts = vec![("cause", text(cause))];
        facts.extend(self.weighed(registration.factor()));
        facts.extend(identity(registration));
        self.note(EventKind::Refused, None, Some(registration.details.triggered_by.clone()), facts);
    }

    pub fn note_end(&mut self, ended: &Execution, wish: Option<&Stop>) {
        let mut facts = vec![("status", Fact::Text(ended.status.as_str().to_owned()))];
        facts.extend(ended.end_reason.map(EndReason::as_str).map(|reason| ("end_reason", text(reason))));
        facts.extend(wish.map(|wish| ("reason", text(&wish.reason))));
        if let Some(end) = ended.end_time {
            let seconds = end.duration_since(ended.start_time).as_secs();
            let name = if ended.has_started() { "ran_seconds" } else { "waited_seconds" };
            facts.push((name, Fact::Number(seconds)));
        }
        self.note(EventKind::Ended, Some(ended.run_id), wish.and_then(|wish| wish.by.clone()), facts);
    }

    /// To be called once the location does not count the run as its own any more.
    pub fn note_withdrawn(&mut self, run: &Execution, cause: &str) {
        let mut facts = vec![("cause", text(cause))];
        if cause == "gate" {
            facts.push(("closed_by_registry", Fact::Flag(self.is_closed_by_registry())));
        }
        facts.extend(self.weighed_start(run));
        facts.extend(run.place.as_ref().map(|place| ("heard_at", Fact::Time(place.heard_at))));
        self.note(EventKind::StartWithdrawn, Some(run.run_id), None, facts);
    }

    pub fn note_late_word(&mut self, run_id: RunId, claimed: &str) {
        self.note(EventKind::LateWord, Some(run_id), None, vec![("claimed", text(claimed))]);
    }

    pub fn note_word_refused(&mut self, run_id: RunId, cause: &str, claimed: &str) {
        let facts = vec![("cause", text(cause)), ("claimed", text(claimed))];
        self.note(EventKind::WordRefused, Some(run_id), None, facts);
    }

    /// To be called before they are set, so that what was before is known.
    pub fn note_location_set(&mut self, capacity: Option<Factor>, gate: Option<&Gate>, by: Option<&String>) {
        let mut facts = Vec::new();
        if let Some(capacity) = capacity {
            facts.push(("capacity", Fact::Factor(capacity)));
            facts.push(("capacity_before", Fact::Factor(self.location.capacity)));
        }
        if let Some(gate) = gate {
            facts.extend(gate_facts(gate));
            facts.push(("state_before", text(self.location.gate.state.as_str())));
        }
        self.note(EventKind::LocationSet, None, by.cloned(), facts);
    }

    /// To be called before it is deleted, so that what was set is known.
    pub fn note_location_deleted(&mut self, by: Option<String>) {
        let facts = vec![("capacity_before", Fact::Factor(self.location.capacity))];
        self.note(EventKind::LocationDeleted, None, by, facts);
    }

    fn show(&mut self, sighting: Option<usize>) {
        if let Some(last) = self.events.last_mut() {
            last.sighting = sighting;
        }
    }

    fn weighed(&self, factor: Factor) -> Facts {
        vec![
            ("requested_factor", Fact::Factor(factor)),
            ("capacity", Fact::Factor(self.location.capacity)),
            ("running_factor", Fact::Factor(self.location.used)),
            ("running", Fact::Number(self.location.running)),
        ]
    }

    fn weighed_start(&self, run: &Execution) -> Facts {
        let mut facts = self.weighed(run.factor());
        facts.extend(run.fence.map(|fence| ("fence", Fact::Number(fence))));
        facts
    }

    fn obstacle_facts(&self, cause: Cause, room: &Room) -> Facts {
        let mut facts = vec![("cause", text(cause.as_str()))];
        facts.extend(self.weighed(room.requested_factor));
        facts.push(("ahead", Fact::Number(room.ahead as i64)));
        let mut ahead = self.roster.queue().first_few(MOST_AHEAD_NAMED, self.now);
        ahead.truncate(room.ahead);
        facts.push(("first_ahead", Fact::Runs(ahead)));
        if !room.gate.is_open() {
            facts.extend(gate_facts(&room.gate));
            facts.push(("closed_by_registry", Fact::Flag(room.closed_by_registry)));
        }
        facts
    }
}

/// The event of a gate that was set for the whole registry.
#[must_use]
pub fn registry_set(gate: &Gate) -> Event {
    Event::new(EventKind::RegistrySet, None, gate.by.clone(), gate_facts(gate))
}

/// The event of the registry's gate that opened by itself.
#[must_use]
pub fn registry_opened() -> Event {
    Event::new(EventKind::RegistryOpened, None, None, Vec::new())
}

/// The event of two locations that became one, to be noted at both. `merged` is the second as it is after that.
#[must_use]
pub fn location_merged(from: &Location, merged: &Location, by: Option<&str>) -> Event {
    let facts = vec![
        ("from", name(from)),
        ("into", name(merged)),
        ("moved_factor", Fact::Factor(from.used)),
        ("moved_running", Fact::Number(from.running)),
        ("moved_waiting", Fact::Number(from.waiting)),
        ("capacity", Fact::Factor(merged.capacity)),
        ("running_factor", Fact::Factor(merged.used)),
        ("running", Fact::Number(merged.running)),
    ];
    Event::new(EventKind::LocationMerged, None, by.map(str::to_owned), facts)
}

/// The event of a run that came from one of two such locations to the other.
#[must_use]
pub fn run_moved(run_id: RunId, from: &Location, merged: &Location, by: Option<&str>) -> Event {
    let facts = vec![("from", name(from)), ("into", name(merged))];
    Event::new(EventKind::Moved, Some(run_id), by.map(str::to_owned), facts)
}

fn name(location: &Location) -> Fact {
    text(row_name(location.name.as_ref()))
}

/// What is known of a gate that was set or was in the way.
fn gate_facts(gate: &Gate) -> Facts {
    let mut facts = vec![("state", text(gate.state.as_str()))];
    facts.extend(gate.reason.as_deref().map(|reason| ("reason", text(reason))));
    facts.extend(gate.until.map(|until| ("until", Fact::Time(until))));
    facts
}

fn identity(registration: &Registration) -> Facts {
    let details = &registration.details;
    vec![
        ("repo", text(&details.repo)),
        ("stream", text(&details.stream)),
        ("test", text(&details.test)),
        ("type", text(&details.kind)),
        ("environment", text(&details.environment)),
    ]
}

fn text(text: &str) -> Fact {
    Fact::Text(text.to_owned())
}
