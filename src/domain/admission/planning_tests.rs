use crate::domain::answer::Answer;
use crate::domain::capacity::factor::Factor;
use crate::domain::execution::Execution;
use crate::domain::execution::Outcome;
use crate::domain::execution::Registration;
use crate::domain::gate::Gate;
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;

use super::tests::{Rows, now, registration};
use super::waiting_tests::{after, any_command, beat, complete, set_gate, waiting};
use super::*;
use crate::domain::answer::{Cause, Planned};
use crate::domain::execution::{Details, Status};
use crate::domain::gate::GateState;

/// One that is expected to run for so long, and waits.
fn expecting(millionths: i64, seconds: u32) -> Command {
    Command::Register(Registration { expected_seconds: Some(seconds), ..waiting(millionths, 5) })
}

fn estimate(answer: &Answer) -> Option<Timestamp> {
    match answer {
        Answer::Queued(_, room) | Answer::Alive(_, Some(room)) => room.estimated_start,
        other => panic!("expected a waiter, not {other:?}"),
    }
}

fn planned(rows: &mut Rows, registration: Registration, now: Timestamp) -> Planned {
    rows.continuity.pulse_at = Some(now);
    let before = rows.clone();
    let answer = rows.apply_at(&[Command::Plan(registration)], now).remove(0);
    assert_eq!(*rows, before, "a plan changes nothing");
    match answer {
        Answer::Planned(planned) => planned,
        other => panic!("expected a plan, not {other:?}"),
    }
}

#[test]
fn whoever_waits_is_told_when_they_will_probably_start() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[expecting(600_000, 100), expecting(300_000, 300)]);
    let first = rows.apply_at(&[expecting(500_000, 50)], after(10)).remove(0);
    assert_eq!(estimate(&first), Some(after(100)), "when the first run ends");
    let second = rows.apply_at(&[expecting(900_000, 50)], after(10)).remove(0);
    assert_eq!(estimate(&second), Some(after(300)), "when all have ended");
    let third = rows.apply_at(&[expecting(100_000, 50)], after(10)).remove(0);
    assert_eq!(estimate(&third), Some(after(350)), "it fits now, but overtakes nobody");
    let later = rows.apply_at(&[beat(3)], after(20)).remove(0);
    assert_eq!(estimate(&later), Some(after(100)));
}

#[test]
fn nobody_is_told_a_time_that_is_not_known() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[Command::Register(waiting(600_000, 5))]);
    let answers = rows.apply(&[expecting(500_000, 50)]);
    assert_eq!(estimate(&answers[0]), None, "nothing is expected of what runs");
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[expecting(600_000, 7_200)]);
    let answers = rows.apply(&[expecting(500_000, 50)]);
    assert_eq!(estimate(&answers[0]), None, "it gives up an hour before");
}

#[test]
fn a_gate_that_opens_by_itself_is_waited_for() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[set_gate(GateState::Draining, Some(after(500)))]);
    let answers = rows.apply(&[expecting(500_000, 50)]);
    assert_eq!(estimate(&answers[0]), Some(after(500)));
    rows.registry = Gate { state: GateState::Stopped, until: Some(after(900)), ..Gate::OPEN };
    assert_eq!(estimate(&rows.apply(&[beat(1)])[0]), Some(after(900)), "both have to be open");
    rows.registry = Gate { state: GateState::Draining, ..Gate::OPEN };
    assert_eq!(estimate(&rows.apply(&[beat(1)])[0]), None);
}

#[test]
fn a_plan_says_what_would_start_now_and_when_the_rest_would() {
    let mut rows = Rows::new(Some("here"));
    let plan = planned(&mut rows, registration(500_000), now());
    assert_eq!((plan.cause, plan.room.estimated_start), (None, Some(now())));
    assert_eq!(plan.largest_factor, Some(Factor::from_millionths(999_999)));

    rows.apply(&[expecting(600_000, 100)]);
    let plan = planned(&mut rows, registration(500_000), now());
    assert_eq!((plan.cause, plan.room.estimated_start), (Some(Cause::NoRoom), Some(after(100))));
    assert_eq!((plan.largest_factor, plan.room.ahead), (Some(Factor::from_millionths(399_999)), 0));
    assert_eq!(plan.room.blocking.len(), 1);

    rows.apply(&[expecting(500_000, 100)]);
    let plan = planned(&mut rows, registration(100_000), now());
    assert_eq!((plan.cause, plan.largest_factor), (Some(Cause::Queue), None));
    assert_eq!((plan.room.ahead, plan.room.estimated_start), (1, Some(after(100))));
    let urgent = planned(&mut rows, waiting(100_000, 9), now());
    assert_eq!((urgent.cause, urgent.room.ahead), (None, 0), "it goes first, and fits");
    assert_eq!(urgent.largest_factor, Some(Factor::from_millionths(399_999)));

    let impatient = Registration { wait_seconds: 0, ..waiting(100_000, 9) };
    let refused = planned(&mut rows, impatient, now());
    assert_eq!((refused.cause, refused.room.ahead), (Some(Cause::Queue), 1), "who does not wait is refused");
    assert_eq!(refused.room.estimated_start, Some(now()), "but would start if it said that it waits");
    let short = Registration { wait_seconds: 60, ..waiting(100_000, 5) };
    assert_eq!(planned(&mut rows, short, now()).room.estimated_start, None, "it would give up before");

    let never = planned(&mut rows, registration(1_000_000), now());
    assert_eq!((never.cause, never.room.estimated_start), (Some(Cause::NeverFits), None));
}

#[test]
fn a_run_is_overdue_after_four_times_its_time_and_still_holds_its_share() {
    let mut rows = Rows::new(Some("here"));
    let alone = Registration { expected_seconds: Some(100), ..registration(500_000) };
    rows.apply(&[Command::Register(alone), expecting(100_000, 100)]);
    let [alone, leased] = &rows.executions[..] else { panic!("two were registered") };
    for run in [alone, leased] {
        assert_eq!((run.is_overdue(after(400)), run.is_overdue(after(401))), (false, true));
    }
    rows.apply_at(&[Command::Sweep], after(401));
    assert_eq!(rows.executions[0].status, Status::Running);
    rows.check_sums();
}

proptest! {
    #[test]
    fn a_plan_starts_exactly_if_the_registration_would(
        before in vec(any_command(), 0..20),
        factor in 0..=999_999_i64,
        priority in 0..10_u8,
        waits in any::<bool>(),
    ) {
        let mut rows = Rows::new(Some("here"));
        rows.apply(&before);
        let wait_seconds = if waits { 600 } else { 0 };
        let registration = Registration { wait_seconds, ..waiting(factor, priority) };
        // What was due by now has been done by the batch before.
        let plan = planned(&mut rows, registration.clone(), now());
        let starts = |rows: &Rows, factor: Factor| {
            let details = Details { factor: Some(factor), ..Details::clone(&registration.details) };
            let asked = Registration { details: Arc::new(details), ..registration.clone() };
            matches!(rows.clone().apply(&[Command::Register(asked)])[0], Answer::Registered(_))
        };
        prop_assert_eq!(plan.cause.is_none(), starts(&rows, registration.factor()));
        if let Some(largest) = plan.largest_factor {
            prop_assert!(starts(&rows, largest));
            prop_assert!(!starts(&rows, largest + Factor::SMALLEST));
        } else {
            prop_assert!(!starts(&rows, Factor::ZERO));
        }
    }

    #[test]
    fn an_estimate_comes_true_if_every_run_ends_as_expected(
        waiters in vec((1..=999_999_i64, 1..60_u32), 1..9),
    ) {
        let mut rows = Rows::new(Some("here"));
        for (factor, seconds) in &waiters {
            rows.apply(&[expecting(*factor, *seconds)]);
        }
        let everybody: Vec<Command> = (1..=waiters.len() as i64).map(beat).collect();
        let estimates: Vec<Option<Timestamp>> = rows.apply(&everybody).iter().map(|answer| match answer {
            Answer::Alive(_, Some(room)) => room.estimated_start,
            _ => Some(now()),
        }).collect();
        for second in 0..500 {
            let over = |run: &&Execution| {
                let expected = run.expected_seconds.map(i64::from);
                expected.is_some_and(|expected| after(second).duration_since(run.start_time).as_secs() >= expected)
            };
            let ended: Vec<Command> =
                rows.running().filter(over).map(|run| complete(run.run_id.0, Outcome::Success)).collect();
            rows.apply_at(&ended, after(second));
            if second % 20 == 0 && second > 0 {
                rows.apply_at(&everybody, after(second));
            }
        }
        let starts: Vec<Option<Timestamp>> = rows.executions.iter().map(|run| Some(run.start_time)).collect();
        prop_assert_eq!(estimates, starts);
    }
}
