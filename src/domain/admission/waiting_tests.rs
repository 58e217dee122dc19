use crate::domain::answer::Answer;
use crate::domain::capacity::factor::Factor;
use crate::domain::execution::Execution;
use crate::domain::execution::Outcome;
use crate::domain::execution::Registration;
use crate::domain::execution::RunId;
use crate::domain::execution::lease::TokenHash;
use crate::domain::gate::Gate;
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;

use super::tests::{Rows, now, register, registered, registration, without_estimate};
use super::*;
use crate::domain::answer::{Cause, Refusal};
use crate::domain::event::EventKind;
use crate::domain::execution::idempotency::IdempotencyKey;
use crate::domain::execution::lease::Lease;
use crate::domain::execution::priority::Priority;
use crate::domain::execution::{Details, EndReason, Status};
use crate::domain::gate::GateState;
use crate::domain::schedule::queue::Queue;

pub fn after(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn token() -> TokenHash {
    TokenHash("secret".to_owned())
}

/// A registration that waits up to an hour, and beats.
pub fn waiting(millionths: i64, priority: u8) -> Registration {
    Registration {
        priority: Priority::new(priority).expect("0 to 9"),
        wait_seconds: 3_600,
        lease: Some((Lease::DEFAULT_SECONDS, token())),
        ..registration(millionths)
    }
}

pub fn wait(millionths: i64) -> Command {
    Command::Register(waiting(millionths, 5))
}

pub fn beat(run_id: i64) -> Command {
    Command::Beat { run_id: RunId(run_id), token: token(), hold_seconds: 0 }
}

pub fn held(run_id: i64, hold_seconds: u32) -> Command {
    Command::Beat { run_id: RunId(run_id), token: token(), hold_seconds }
}

pub fn broken(run_id: i64, heard_at: Timestamp) -> Command {
    Command::BreakOff { run_id: RunId(run_id), heard_at }
}

pub fn complete(run_id: i64, outcome: Outcome) -> Command {
    Command::Complete { run_id: RunId(run_id), outcome, token: Some(token()) }
}

pub fn cancel(run_id: i64, force: bool) -> Command {
    Command::Cancel { run_id: RunId(run_id), reason: Some("it hurts".to_owned()), by: None, force }
}

pub fn set_gate(state: GateState, until: Option<Timestamp>) -> Command {
    let gate = Gate { state, reason: Some("release".to_owned()), by: None, until };
    Command::SetLocation { capacity: None, gate: Some(gate), by: None }
}

fn ahead(answer: &Answer) -> usize {
    match answer {
        Answer::Queued(_, room) | Answer::Alive(_, Some(room)) => room.ahead,
        other => panic!("expected a place, not {other:?}"),
    }
}

fn run(rows: &Rows, run_id: usize) -> &Execution {
    &rows.executions[run_id - 1]
}

fn cause(answer: &Answer) -> Cause {
    match answer {
        Answer::Refused(Refusal { cause, .. }) => *cause,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

#[test]
fn whoever_waits_starts_when_there_is_room_and_not_before() {
    let mut rows = Rows::new(Some("here"));
    let answers = rows.apply(&[wait(600_000), wait(600_000), wait(600_000)]);
    assert!(registered(&answers[0]));
    assert_eq!((ahead(&answers[1]), ahead(&answers[2])), (0, 1));
    rows.apply_at(&[beat(1), beat(2), beat(3)], after(30));
    rows.apply_at(&[complete(1, Outcome::Success)], after(40));
    assert_eq!((run(&rows, 2).status, run(&rows, 3).status), (Status::Running, Status::Queued));
    assert_eq!(run(&rows, 2).start_time, after(40));
    assert_eq!(run(&rows, 2).lease.as_ref().and_then(|lease| lease.expires_at), Some(after(100)));
    assert_eq!((run(&rows, 1).fence, run(&rows, 2).fence), (Some(1), Some(2)));
    rows.check_sums();
}

#[test]
fn nobody_overtakes_the_first_even_where_they_would_fit() {
    let mut rows = Rows::new(Some("here"));
    let answers = rows.apply(&[wait(500_000), wait(800_000), wait(100_000), register(100_000)]);
    assert_eq!(ahead(&answers[2]), 1);
    assert_eq!(cause(&answers[3]), Cause::Queue, "retry loops must not beat the queue");
}

#[test]
fn priority_goes_first_and_ten_minutes_of_waiting_are_worth_one() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(900_000), Command::Register(waiting(500_000, 4))]);
    let beats: Vec<Command> = (1..=2).map(beat).collect();
    for minute in 1..=9 {
        rows.apply_at(&beats, after(minute * 55));
    }
    let answers = rows.apply_at(&[beat(1), beat(2), Command::Register(waiting(500_000, 5))], after(540));
    assert_eq!(ahead(&answers[2]), 0, "5 goes before 4, which has waited nine minutes");
    rows.apply_at(&[beat(1), beat(2), beat(3)], after(590));
    let answers = rows.apply_at(&[beat(1), beat(2), beat(3)], after(600));
    assert_eq!((ahead(&answers[1]), ahead(&answers[2])), (0, 1), "after ten minutes it is worth 5, and came first");
}

#[test]
fn a_waiter_gives_up_in_time_and_a_silent_one_loses_its_place() {
    let mut rows = Rows::new(Some("here"));
    let short = Registration { wait_seconds: 50, ..waiting(500_000, 5) };
    rows.apply(&[wait(900_000), Command::Register(short), wait(500_000)]);
    assert_eq!(rows.location.next_due, Some(after(50)));
    rows.apply_at(&[beat(1), Command::Sweep], after(50));
    assert_eq!(run(&rows, 2).end_reason, Some(EndReason::WaitTimeout));
    assert_eq!(run(&rows, 2).status, Status::Ended(Outcome::Cancelled));
    rows.apply_at(&[Command::Sweep], after(60));
    assert_eq!(run(&rows, 3).end_reason, Some(EndReason::NotHeard));
    assert!(matches!(rows.apply_at(&[beat(3)], after(61))[0], Answer::EndedOtherwise(_)));
    rows.check_sums();
}

#[test]
fn a_silent_runner_is_suspect_and_holds_its_share_then_it_is_lost_and_the_next_starts() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(900_000), wait(900_000)]);
    rows.apply_at(&[beat(2)], after(59));
    rows.apply_at(&[Command::Sweep], after(60));
    let suspect = |rows: &Rows| run(rows, 1).lease.as_ref().is_some_and(|lease| lease.suspect);
    assert!(suspect(&rows));
    assert_eq!(run(&rows, 2).status, Status::Queued);
    rows.apply_at(&[beat(1), beat(2)], after(110));
    assert!(!suspect(&rows), "a beat in between heals it");
    rows.apply_at(&[beat(2)], after(165));
    rows.apply_at(&[beat(2)], after(220));
    rows.apply_at(&[Command::Sweep], after(230));
    assert_eq!(
        (run(&rows, 1).status, run(&rows, 1).end_reason),
        (Status::Ended(Outcome::Failure), Some(EndReason::Lost))
    );
    assert_eq!(run(&rows, 2).status, Status::Running);
    let late = rows.apply_at(&[beat(1), complete(1, Outcome::Success), complete(1, Outcome::Failure)], after(231));
    assert!(late.iter().all(|answer| matches!(answer, Answer::EndedOtherwise(_))), "its late word changes nothing");
    rows.check_sums();
}

#[test]
fn a_run_without_a_lease_is_never_given_up() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(500_000)]);
    assert_eq!(rows.location.next_due, None);
    rows.apply_at(&[Command::Sweep], after(100_000_000));
    assert_eq!(run(&rows, 1).status, Status::Running);
}

#[test]
fn only_who_knows_the_secret_beats_and_completes() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(900_000)]);
    let wrong = || TokenHash("guess".to_owned());
    let answers = rows.apply(&[
        Command::Beat { run_id: RunId(1), token: wrong(), hold_seconds: 0 },
        Command::Complete { run_id: RunId(1), outcome: Outcome::Success, token: Some(wrong()) },
        Command::Complete { run_id: RunId(1), outcome: Outcome::Success, token: None },
    ]);
    assert_eq!(answers, [Answer::WrongToken, Answer::WrongToken, Answer::WrongToken]);
    assert_eq!(run(&rows, 1).status, Status::Running);
}

#[test]
fn a_leased_run_is_asked_to_stop_and_holds_its_share_until_it_has() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(900_000), wait(900_000), register(0)]);
    let answers = rows.apply_at(&[cancel(1, false), cancel(1, false), beat(1)], after(5));
    assert!(
        matches!(&answers[0], Answer::Stopping(run) if run.stop.as_ref().is_some_and(|stop| stop.reason == "it hurts"))
    );
    assert_eq!(answers[0], answers[1], "asking again changes nothing");
    assert!(matches!(&answers[2], Answer::Alive(run, None) if run.stop.is_some()));
    assert_eq!(run(&rows, 2).status, Status::Queued);
    rows.apply_at(&[complete(1, Outcome::Cancelled)], after(6));
    assert_eq!(run(&rows, 2).status, Status::Running);
    rows.apply_at(&[cancel(2, true)], after(7));
    assert_eq!(run(&rows, 2).status, Status::Ended(Outcome::Cancelled));
    rows.check_sums();
}

#[test]
fn a_closed_gate_lets_nothing_start_and_opens_by_itself() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(300_000), set_gate(GateState::Draining, Some(after(50)))]);
    let answers = rows.apply(&[register(300_000), wait(300_000)]);
    assert_eq!(cause(&answers[0]), Cause::Gate);
    assert_eq!(ahead(&answers[1]), 0);
    assert_eq!(run(&rows, 1).stop, None, "draining stops nobody");
    rows.apply_at(&[Command::Sweep], after(50));
    assert_eq!(run(&rows, 2).status, Status::Running);
    rows.apply_at(&[beat(2), set_gate(GateState::Stopped, None)], after(51));
    assert!([1, 2].iter().all(|run_id| run(&rows, *run_id).stop.as_ref().is_some_and(|stop| stop.reason == "release")));
    rows.check_sums();
}

#[test]
fn the_gate_of_the_registry_closes_every_location_even_none() {
    let mut rows = Rows::new(None);
    rows.registry = Gate { state: GateState::Draining, until: Some(after(40)), ..Gate::OPEN };
    let waiting = waiting(0, 5);
    let details = Arc::new(Details { location: None, ..Details::clone(&waiting.details) });
    let answers = rows.apply(&[register(0), Command::Register(Registration { details, ..waiting })]);
    assert_eq!(cause(&answers[0]), Cause::Gate);
    assert_eq!(rows.location.next_due, Some(after(40)));
    rows.apply_at(&[Command::Sweep], after(40));
    assert_eq!(run(&rows, 1).status, Status::Running);
}

#[test]
fn who_can_never_fit_again_is_told_so_and_keeps_nobody_waiting() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(300_000), wait(800_000), wait(100_000)]);
    rows.apply(&[Command::SetLocation { capacity: Some(Factor::from_millionths(500_000)), gate: None, by: None }]);
    assert_eq!(run(&rows, 2).end_reason, Some(EndReason::CannotFit));
    assert_eq!(run(&rows, 3).status, Status::Running);
    rows.check_sums();
}

pub fn any_command() -> impl Strategy<Value = Command> {
    let known = || 1..30_i64;
    let outcome = prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Cancelled)];
    let state = prop_oneof![3 => Just(GateState::Open), 1 => Just(GateState::Draining), 1 => Just(GateState::Stopped)];
    prop_oneof![
        2 => (0..=999_999_i64).prop_map(register),
        6 => (0..=999_999_i64, 0..10_u8, 1..400_u32).prop_map(|(factor, priority, wait_seconds)| {
            Command::Register(Registration { wait_seconds, ..waiting(factor, priority) })
        }),
        4 => (known(), outcome).prop_map(|(run_id, outcome)| complete(run_id, outcome)),
        3 => known().prop_map(beat),
        2 => (known(), 0..=30_u32).prop_map(|(run_id, hold)| held(run_id, hold)),
        1 => known().prop_map(|run_id| Command::Tell { run_id: RunId(run_id), token: token() }),
        2 => (known(), 0..200_i64).prop_map(|(run_id, heard)| broken(run_id, after(heard))),
        2 => (known(), any::<bool>()).prop_map(|(run_id, force)| cancel(run_id, force)),
        1 => (state, 0..200_i64).prop_map(|(state, until)| set_gate(state, Some(after(until)))),
        1 => (500_000..2_000_000_i64).prop_map(|capacity| Command::SetLocation {
            capacity: Some(Factor::from_millionths(capacity)),
            gate: None,
            by: None,
        }),
        2 => Just(Command::Sweep),
        1 => (0..=999_999_i64, 0..10_u8).prop_map(|(factor, priority)| Command::Plan(waiting(factor, priority))),
        2 => (0..4_u8, 0..4_i64).prop_map(|(key, body)| keyed(key, body)),
    ]
}

/// A request with one of a few keys; the body decides what it asks for.
fn keyed(key: u8, body: i64) -> Command {
    let text = |what: &str| format!("{what} {key} {body}");
    let key = IdempotencyKey { hash: format!("key {key}"), request_hash: text("body"), salt: text("salt") };
    Command::Register(Registration { key: Some(key), ..waiting(body * 300_000, 5) })
}

fn without_estimates(answers: Vec<Answer>) -> Vec<Answer> {
    answers.into_iter().map(without_estimate).collect()
}

/// Steps of time, each with the commands that came in it.
fn any_schedule() -> impl Strategy<Value = Vec<(i64, Vec<Command>)>> {
    vec((0..90_i64, vec(any_command(), 0..6)), 0..25)
}

/// Nobody has started while a waiter that is not passed over stood before it.
fn check_order(before: &Rows, after: &Rows, now: Timestamp) {
    let is = |run: &Execution| after.executions.iter().find(|is| is.id == run.id).expect("nothing vanishes");
    let has_started = |run: &Execution| is(run).fence.is_some();
    // One that was passed over and has started was heard of, and so was in its place again.
    let healed = before.queued().filter(|run| run.is_suspect() && has_started(run));
    let healed: Vec<Execution> = healed.map(|run| run.heard_waiting(SignedDuration::ZERO, now)).collect();
    let present = |run: RunId| healed.iter().chain(before.queued()).find(|was| was.run_id == run).expect("it waited");
    let mut queue = Queue::new(before.queued().filter(|run| !run.is_suspect()).chain(&healed));
    let mut started: Vec<&Execution> = before.queued().filter(|run| has_started(run)).map(is).collect();
    started.sort_by_key(|run| run.fence);
    for run in started {
        while let Some(first) = queue.first(now).map(|waiter| waiter.run_id)
            && first != run.run_id
        {
            let gone = is(present(first));
            let left = matches!(gone.status, Status::Ended(_)) || gone.is_suspect();
            assert!(left && gone.fence.is_none(), "run {first} was overtaken");
            queue.remove(present(first));
        }
        queue.remove(present(run.run_id));
    }
}

/// The events that name a run tell how it became what it is, and nothing else.
fn check_events(before: &Rows, after: &Rows) {
    let new = &after.events[before.events.len()..];
    for run in &after.executions {
        let was = before.executions.iter().find(|was| was.id == run.id);
        let (mut status, mut suspect) = (was.map(|was| was.status), was.is_some_and(Execution::is_suspect));
        let mut is_stopping = was.is_some_and(|was| was.stop.is_some());
        for event in new.iter().filter(|event| event.run_id == Some(run.run_id)) {
            let expected: &[Option<Status>] = match event.kind {
                EventKind::Queued => &[None],
                EventKind::Started => &[None, Some(Status::Queued)],
                EventKind::StartWithdrawn | EventKind::StopRequested => &[Some(Status::Running)],
                EventKind::LateWord | EventKind::WordRefused => continue,
                _ => &[Some(Status::Queued), Some(Status::Running)],
            };
            assert!(expected.contains(&status), "run {} was {status:?}: {:?}", run.run_id, event.kind);
            match event.kind {
                EventKind::Queued => status = Some(Status::Queued),
                EventKind::Started => status = Some(Status::Running),
                EventKind::StartWithdrawn => (status, suspect) = (Some(Status::Queued), true),
                EventKind::Suspect => suspect = true,
                EventKind::Recovered => suspect = false,
                EventKind::StopRequested => is_stopping = true,
                EventKind::Ended => (status, suspect) = (Some(run.status), false),
                other => panic!("{other:?} names no run"),
            }
        }
        let is = (Some(run.status), run.is_suspect(), run.stop.is_some());
        assert_eq!((status, suspect, is_stopping), is, "run {}", run.run_id);
    }
}

proptest! {
    #[test]
    fn over_any_schedule_nothing_overfills_nobody_overtakes_and_the_fence_only_grows(schedule in any_schedule()) {
        let mut rows = Rows::new(Some("here"));
        let mut second = 0;
        for (step, commands) in schedule {
            second += step;
            for command in &commands {
                let before = rows.clone();
                rows.apply_at(std::slice::from_ref(command), after(second));
                rows.check_sums();
                prop_assert!(rows.location.fence >= before.location.fence);
                let sets_location = matches!(command, Command::SetLocation { .. });
                if rows.location.fence > before.location.fence && !sets_location {
                    prop_assert!(rows.location.used < rows.location.capacity);
                    prop_assert!(rows.location.gate.is_open());
                }
                check_order(&before, &rows, after(second));
                check_events(&before, &rows);
                for (was, is) in before.executions.iter().zip(&rows.executions) {
                    if matches!(was.status, Status::Ended(_)) {
                        prop_assert_eq!(was, is, "what has ended never changes");
                    }
                }
            }
        }
    }

    #[test]
    fn a_batch_decides_as_its_commands_one_by_one(
        before in vec(any_command(), 0..20),
        commands in vec(any_command(), 0..20),
        step in 0..100_i64,
    ) {
        let mut one_by_one = Rows::new(Some("here"));
        one_by_one.apply(&before);
        let mut batched = one_by_one.clone();
        let known = one_by_one.executions.len() as i64;
        let knowable = |command: &&Command| command.run_id().is_none_or(|run_id| run_id.0 <= known);
        let commands: Vec<Command> = commands.iter().filter(knowable).cloned().collect();
        let expected: Vec<Answer> = commands
            .iter()
            .flat_map(|command| one_by_one.apply_at(std::slice::from_ref(command), after(step)))
            .collect();
        let answers = batched.apply_at(&commands, after(step));
        prop_assert_eq!(without_estimates(answers), without_estimates(expected));
        if !commands.is_empty() {
            prop_assert_eq!(batched, one_by_one);
        }
    }

    #[test]
    fn everybody_who_waits_starts_in_the_end_if_runs_end(
        waiters in vec((0..=999_999_i64, 0..10_u8), 1..20),
    ) {
        let mut rows = Rows::new(Some("here"));
        for (factor, priority) in &waiters {
            rows.apply(&[Command::Register(waiting(*factor, *priority))]);
        }
        for round in 0..waiters.len() as i64 {
            let beats: Vec<Command> = (1..=waiters.len() as i64).map(beat).collect();
            rows.apply_at(&beats, after(round));
            let running: Vec<Command> =
                rows.running().map(|run| complete(run.run_id.0, Outcome::Success)).collect();
            rows.apply_at(&running, after(round));
        }
        prop_assert!(rows.executions.iter().all(|run| run.fence.is_some()));
        prop_assert_eq!(rows.location.used, Factor::ZERO);
    }
}
