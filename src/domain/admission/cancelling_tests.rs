use super::tests::{Rows, now, register};
use super::waiting_tests::{after, wait};
use super::*;
use crate::domain::answer::Answer;
use crate::domain::capacity::factor::Factor;
use crate::domain::execution::Outcome;
use crate::domain::execution::RunId;
use crate::domain::execution::Status;
use crate::domain::execution::lease::TokenHash;

fn cancel_started_before(run_id: i64, before: Timestamp) -> Command {
    Command::CancelStartedBefore { run_id: RunId(run_id), before, reason: Some("it is dead".to_owned()), by: None }
}

#[test]
fn a_run_that_started_before_then_is_ended_or_asked_to_stop() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(300_000), wait(300_000)]);
    let answers = rows.apply_at(&[cancel_started_before(1, after(1)), cancel_started_before(2, after(1))], after(2));
    assert!(matches!(&answers[0], Answer::Ended(run) if run.status == Status::Ended(Outcome::Cancelled)));
    assert!(matches!(&answers[1], Answer::Stopping(run) if run.status == Status::Running));
    assert_eq!(rows.location.used, Factor::from_millionths(300_000));
}

#[test]
fn what_waits_or_started_later_is_left_alone() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(600_000), wait(600_000)]);
    let before = rows.executions.clone();
    let answers = rows.apply_at(&[cancel_started_before(1, now()), cancel_started_before(2, after(9))], after(2));
    assert!(answers.iter().all(|answer| matches!(answer, Answer::NotStarted(_))), "{answers:?}");
    assert_eq!(rows.executions, before);
    let unknown = rows.apply_at(&[cancel_started_before(9, after(9))], after(2));
    assert!(matches!(unknown[0], Answer::NotFound));
}

#[test]
fn what_is_foreseen_of_a_run_is_what_cancelling_does() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(100_000), wait(100_000), register(700_000), wait(600_000)]);
    // The last one starts in its room, and is not told yet.
    rows.apply_at(&[cancel_started_before(3, after(1))], after(1));
    for (run_id, stops) in [(1, false), (2, true), (4, false)] {
        let run = rows.executions.iter().find(|run| run.run_id == RunId(run_id)).cloned().expect("it is there");
        assert_eq!((run.status, run.has_to_stop_first()), (Status::Running, stops), "run {run_id}");
        let answers = rows.apply_at(&[cancel_started_before(run_id, after(9))], after(2));
        assert_eq!(matches!(answers[0], Answer::Stopping(_)), stops, "{answers:?}");
    }
}

#[test]
fn one_that_somebody_else_has_cancelled_meanwhile_counts_and_one_that_has_succeeded_does_not() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(200_000), register(200_000)]);
    let by_somebody_else = Command::Cancel { run_id: RunId(1), reason: None, by: Some("ana".to_owned()), force: false };
    let succeeded = Command::Complete { run_id: RunId(2), outcome: Outcome::Success, token: None };
    rows.apply_at(&[by_somebody_else, succeeded], after(1));
    let answers = rows.apply_at(&[cancel_started_before(1, after(9)), cancel_started_before(2, after(9))], after(2));
    assert!(matches!(answers[0], Answer::Ended(_)) && matches!(answers[1], Answer::EndedOtherwise(_)), "{answers:?}");
}

#[test]
fn how_a_run_has_ended_is_told_without_its_secret() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(900_000)]);
    rows.apply(&[Command::Cancel { run_id: RunId(1), reason: None, by: None, force: true }]);
    let complete = |token| Command::Complete { run_id: RunId(1), outcome: Outcome::Success, token };
    let answers = rows.apply(&[complete(None), complete(Some(TokenHash("guess".to_owned())))]);
    assert!(matches!(answers[..], [Answer::EndedOtherwise(_), Answer::WrongToken]), "{answers:?}");
}
