use super::super::execution::Status;
use super::tests::{Rows, now, register};
use super::waiting_tests::{after, wait};
use super::*;

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
