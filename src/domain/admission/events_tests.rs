use super::tests::{Rows, now, register};
use super::waiting_tests::{after, beat, cancel, complete, set_gate, wait, waiting};
use super::*;
use crate::domain::capacity::factor::Factor;
use crate::domain::event::Event;
use crate::domain::event::{EventKind, Fact};
use crate::domain::execution::Outcome;
use crate::domain::execution::RunId;
use crate::domain::execution::Status;
use crate::domain::gate::{Gate, GateState};

fn fact<'event>(event: &'event Event, name: &str) -> Option<&'event Fact> {
    event.facts.iter().find(|(other, _)| *other == name).map(|(_, fact)| fact)
}

fn factor(millionths: i64) -> Fact {
    Fact::Factor(Factor::from_millionths(millionths))
}

fn text(text: &str) -> Fact {
    Fact::Text(text.to_owned())
}

/// The events that these commands leave behind.
fn events(rows: &mut Rows, commands: &[Command], now: Timestamp) -> Vec<Event> {
    let before = rows.events.len();
    rows.apply_at(commands, now);
    rows.events[before..].to_vec()
}

fn kinds(events: &[Event]) -> Vec<(EventKind, Option<i64>)> {
    events.iter().map(|event| (event.kind, event.run_id.map(|run_id| run_id.0))).collect()
}

#[test]
fn a_refusal_says_what_was_weighed_who_was_ahead_and_who_asked() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(600_000), wait(500_000), wait(400_000)]);
    let refused = events(&mut rows, &[register(100_000)], after(1));
    assert_eq!(kinds(&refused), [(EventKind::Refused, None)]);
    let refused = &refused[0];
    assert_eq!(refused.by.as_deref(), Some("x"));
    for (name, expected) in [
        ("cause", text("queue")),
        ("requested_factor", factor(100_000)),
        ("capacity", factor(1_000_000)),
        ("running_factor", factor(600_000)),
        ("running", Fact::Number(1)),
        ("ahead", Fact::Number(2)),
        ("first_ahead", Fact::Runs(vec![RunId(2), RunId(3)])),
        ("test", text("x")),
    ] {
        assert_eq!(fact(refused, name), Some(&expected), "{name}");
    }
    assert_eq!(refused.blocking.iter().map(|holder| holder.run_id).collect::<Vec<_>>(), [RunId(1)]);
    let too_large = events(&mut rows, &[register(2_000_000)], after(1));
    assert_eq!(fact(&too_large[0], "cause"), Some(&text("too_large")));
}

#[test]
fn new_runs_of_one_batch_are_named_by_their_real_numbers() {
    let mut rows = Rows::new(Some("here"));
    let events = events(&mut rows, &[wait(600_000), wait(500_000), wait(400_000)], now());
    assert_eq!(
        kinds(&events),
        [(EventKind::Started, Some(1)), (EventKind::Queued, Some(2)), (EventKind::Queued, Some(3))]
    );
    assert_eq!(fact(&events[2], "first_ahead"), Some(&Fact::Runs(vec![RunId(2)])));
    assert_eq!(events[2].blocking[0].run_id, RunId(1));
}

#[test]
fn the_story_of_a_run_that_waited_was_suspected_and_asked_to_stop() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(600_000), wait(600_000)]);
    let started = events(&mut rows, &[complete(1, Outcome::Success)], after(30));
    assert_eq!(kinds(&started), [(EventKind::Ended, Some(1)), (EventKind::Started, Some(2))]);
    assert_eq!(fact(&started[1], "waited_seconds"), Some(&Fact::Number(30)));
    assert_eq!(fact(&started[1], "running_factor"), Some(&Fact::Factor(Factor::ZERO)), "before it started");
    rows.apply_at(&[beat(2)], after(30));
    let suspect = events(&mut rows, &[Command::Sweep], after(91));
    assert_eq!(kinds(&suspect), [(EventKind::Suspect, Some(2))]);
    assert_eq!(fact(&suspect[0], "lease_expires_at"), Some(&Fact::Time(after(90))));
    assert_eq!(kinds(&events(&mut rows, &[beat(2)], after(92))), [(EventKind::Recovered, Some(2))]);
    assert_eq!(kinds(&events(&mut rows, &[beat(2)], after(93))), [], "a heartbeat changes nothing");
    let stop = events(&mut rows, &[cancel(2, false), cancel(2, false)], after(94));
    assert_eq!(kinds(&stop), [(EventKind::StopRequested, Some(2))], "asking again changes nothing");
    let ended = events(&mut rows, &[cancel(2, true)], after(95));
    assert_eq!(kinds(&ended), [(EventKind::Ended, Some(2))]);
    assert_eq!(fact(&ended[0], "reason"), Some(&text("it hurts")));
}

#[test]
fn what_a_lost_run_claims_late_is_kept_and_changes_nothing_else() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[Command::Register(waiting(600_000, 5))]);
    let lost = events(&mut rows, &[Command::Sweep], after(120));
    assert_eq!(kinds(&lost), [(EventKind::Ended, Some(1))]);
    assert_eq!(fact(&lost[0], "end_reason"), Some(&text("lost")));
    let before = rows.clone();
    let late = events(&mut rows, &[beat(1), complete(1, Outcome::Success)], after(130));
    assert_eq!(kinds(&late), [(EventKind::LateWord, Some(1)), (EventKind::LateWord, Some(1))]);
    assert_eq!(fact(&late[0], "claimed"), Some(&text("alive")));
    assert_eq!(fact(&late[1], "claimed"), Some(&text("success")));
    assert_eq!((&rows.executions, &rows.location), (&before.executions, &before.location));
}

#[test]
fn a_word_that_is_refused_is_kept_and_changes_nothing() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(600_000), wait(600_000)]);
    let wrong = Command::Complete { run_id: RunId(1), outcome: Outcome::Failure, token: None };
    let refused = events(&mut rows, &[wrong, complete(2, Outcome::Success)], after(1));
    assert_eq!(kinds(&refused), [(EventKind::WordRefused, Some(1)), (EventKind::WordRefused, Some(2))]);
    assert_eq!(fact(&refused[0], "cause"), Some(&text("wrong_token")));
    assert_eq!(fact(&refused[0], "claimed"), Some(&text("failure")));
    assert_eq!(fact(&refused[1], "cause"), Some(&text("not_started")));
    assert_eq!((rows.executions[0].status, rows.executions[1].status), (Status::Running, Status::Queued));
}

#[test]
fn a_location_that_is_set_and_opens_by_itself_says_so() {
    let mut rows = Rows::new(Some("here"));
    let set = events(&mut rows, &[set_gate(GateState::Draining, Some(after(100)))], now());
    assert_eq!(kinds(&set), [(EventKind::LocationSet, None)]);
    assert_eq!(fact(&set[0], "state"), Some(&text("draining")));
    assert_eq!(fact(&set[0], "state_before"), Some(&text("open")));
    assert_eq!(kinds(&events(&mut rows, &[Command::Sweep], after(100))), [(EventKind::LocationOpened, None)]);
}

#[test]
fn an_adopted_run_that_is_ended_ran_and_one_that_never_started_waited() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(600_000), wait(600_000)]);
    // The original gave no fences.
    rows.executions[0].fence = None;
    let end = events(&mut rows, &[cancel(2, false), cancel(1, false)], after(30));
    assert_eq!(kinds(&end), [(EventKind::Ended, Some(2)), (EventKind::Ended, Some(1))]);
    let thirty = Some(&Fact::Number(30));
    assert_eq!((fact(&end[0], "waited_seconds"), fact(&end[0], "ran_seconds")), (thirty, None));
    assert_eq!((fact(&end[1], "waited_seconds"), fact(&end[1], "ran_seconds")), (None, thirty));
}

#[test]
fn what_a_closed_gate_holds_back_says_whether_it_is_the_registrys() {
    for (registry, own, is_registrys) in [
        (GateState::Draining, GateState::Open, true),
        (GateState::Open, GateState::Draining, false),
        (GateState::Draining, GateState::Draining, false),
        (GateState::Stopped, GateState::Draining, true),
    ] {
        let mut rows = Rows::new(Some("here"));
        rows.registry = Gate { state: registry, ..Gate::OPEN };
        rows.location.gate.state = own;
        let noted = events(&mut rows, &[register(100_000), wait(100_000)], now());
        assert_eq!(kinds(&noted), [(EventKind::Refused, None), (EventKind::Queued, Some(1))]);
        for event in &noted {
            assert_eq!(fact(event, "closed_by_registry"), Some(&Fact::Flag(is_registrys)), "{registry:?} {own:?}");
        }
    }
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(600_000)]);
    let full = events(&mut rows, &[register(600_000)], after(1));
    assert_eq!(fact(&full[0], "closed_by_registry"), None, "nothing is closed");
}
