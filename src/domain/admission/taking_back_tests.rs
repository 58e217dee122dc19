use super::tests::{Rows, register, registered};
use super::waiting_tests::{after, beat, complete, set_gate, wait};
use super::*;
use crate::domain::answer::Answer;
use crate::domain::capacity::factor::Factor;
use crate::domain::event::{EventKind, Fact};
use crate::domain::execution::Execution;
use crate::domain::execution::Outcome;
use crate::domain::execution::RunId;
use crate::domain::execution::Status;
use crate::domain::execution::lease::TokenHash;
use crate::domain::gate::GateState;
use std::sync::Arc;

fn secret() -> TokenHash {
    TokenHash("secret".to_owned())
}

fn take_back(receipt: &Execution) -> Command {
    Command::TakeBack { receipt: Arc::new(receipt.clone()), token: secret() }
}

/// Two that run, and what is left of them after the second was forgotten; gives the second.
fn forgetful() -> (Rows, Execution) {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(600_000)]);
    let before = rows.clone();
    rows.apply_at(&[wait(300_000)], after(1));
    let lost = rows.executions[1].clone();
    (before, lost)
}

#[test]
fn a_run_that_was_forgotten_is_counted_again_with_its_number_and_a_fresh_lease() {
    let (mut rows, lost) = forgetful();
    let answers = rows.apply_at(&[take_back(&lost), beat(2)], after(50));
    assert!(matches!(&answers[..], [Answer::TakenBack(_), Answer::Alive(_, None)]), "{answers:?}");
    let run = &rows.executions[1];
    assert_eq!((run.run_id, run.id, run.fence, run.start_time), (lost.run_id, lost.id, lost.fence, lost.start_time));
    assert_eq!(run.lease.as_ref().and_then(|lease| lease.expires_at), Some(after(110)));
    rows.check_sums();
    let event = rows.events.last().expect("an event");
    assert_eq!((event.kind, event.run_id), (EventKind::TakenBack, Some(lost.run_id)));
    assert!(event.facts.contains(&("fence", Fact::Number(2))), "{event:?}");
    assert!(matches!(rows.apply_at(&[take_back(&lost)], after(51))[..], [Answer::TakenBack(_)]), "again");
    rows.apply_at(&[complete(2, Outcome::Success)], after(52));
    assert_eq!((rows.location.used, rows.location.running), (Factor::from_millionths(600_000), 1));
}

#[test]
fn a_run_is_taken_back_even_above_the_capacity_and_nothing_starts_until_there_is_room() {
    let (mut rows, lost) = forgetful();
    rows.apply(&[register(350_000), wait(10_000)]);
    // The numbers of this small store are given again, but not those of a real one.
    let lost = Execution { run_id: RunId(99), ..lost };
    rows.apply_at(&[take_back(&lost)], after(5));
    assert_eq!(rows.location.used, Factor::from_millionths(1_260_000));
    let answers = rows.apply_at(&[register(0), wait(100_000)], after(6));
    assert!(!registered(&answers[0]));
    assert!(matches!(&answers[1], Answer::Queued(_, room) if room.available_factor() == Factor::ZERO));
    rows.apply_at(&[complete(1, Outcome::Success)], after(7));
    assert_eq!(rows.executions.last().map(|run| run.status), Some(Status::Running));
}

#[test]
fn a_run_whose_start_was_forgotten_runs_again_and_waits_no_longer() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(600_000), wait(600_000)]);
    let before = rows.clone();
    rows.apply_at(&[complete(1, Outcome::Success)], after(10));
    let started = rows.executions[1].clone();
    let mut rows = before;
    rows.apply_at(&[take_back(&started)], after(30));
    let run = &rows.executions[1];
    assert_eq!((run.status, run.fence, run.start_time), (Status::Running, Some(2), after(10)));
    assert_eq!((rows.location.waiting, rows.location.used), (0, Factor::from_millionths(1_200_000)));
    rows.check_sums();
}

#[test]
fn a_receipt_of_another_run_or_without_its_secret_changes_nothing() {
    let (mut rows, lost) = forgetful();
    let before = rows.clone();
    let other = Execution { run_id: RunId(1), ..lost.clone() };
    let guess = Command::TakeBack { receipt: Arc::new(lost), token: TokenHash("guess".to_owned()) };
    assert_eq!(rows.apply(&[take_back(&other), guess]), [Answer::OtherRun, Answer::WrongToken]);
    assert_eq!(
        (&rows.executions, &rows.location, &rows.events),
        (&before.executions, &before.location, &before.events)
    );
}

#[test]
fn a_run_that_is_taken_back_where_everything_is_stopped_is_asked_to_stop() {
    let (mut rows, lost) = forgetful();
    rows.apply(&[set_gate(GateState::Stopped, None)]);
    let answers = rows.apply_at(&[take_back(&lost)], after(5));
    assert!(matches!(&answers[0], Answer::TakenBack(run) if run.stop.is_some()), "{answers:?}");
}

#[test]
fn a_run_of_another_location_is_nobody_here_and_stays_as_it_is() {
    let mut here = Rows::new(Some("here"));
    here.apply(&[wait(600_000), wait(600_000)]);
    let before = Rows { executions: here.executions, ..Rows::new(Some("there")) };
    let mut there = before.clone();
    let cancel = |run_id| Command::Cancel { run_id, reason: None, by: None, force: true };
    for run in &before.executions {
        let run_id = run.run_id;
        let answers =
            there.apply(&[complete(run_id.0, Outcome::Success), beat(run_id.0), cancel(run_id), take_back(run)]);
        assert_eq!(answers, [Answer::NotFound, Answer::NotFound, Answer::NotFound, Answer::OtherRun]);
    }
    assert_eq!(there, Rows { continuity: there.continuity, ..before });
}
