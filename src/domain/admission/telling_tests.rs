//! A waiter that is gone holds up nobody for long, and one that is there loses nothing.
use crate::domain::answer::Answer;
use crate::domain::execution::Outcome;
use crate::domain::execution::Registration;
use crate::domain::execution::RunId;
use crate::domain::schedule::roster::Roster;

use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::tests::{Rows, now, registered};
use super::waiting_tests::{after, beat, broken, cancel, complete, held, set_gate, wait, waiting};
use super::*;
use crate::domain::event::EventKind;
use crate::domain::execution::{EndReason, Status};
use crate::domain::gate::GateState;

fn status(rows: &Rows, run_id: usize) -> Status {
    rows.executions[run_id - 1].status
}

fn kinds(rows: &Rows, run_id: i64) -> Vec<&'static str> {
    let named = rows.events.iter().filter(|event| event.run_id == Some(RunId(run_id)));
    named.map(|event| event.kind.as_str()).collect()
}

/// One that runs, and these many that wait behind it, each held.
fn full_house(waiters: i64) -> Rows {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(900_000)]);
    for run_id in 2..2 + waiters {
        rows.apply(&[wait(900_000)]);
        rows.apply(&[held(run_id, 30)]);
    }
    rows
}

#[test]
fn a_start_whose_waiter_hung_up_goes_to_the_next_after_five_seconds() {
    let mut rows = full_house(2);
    rows.apply_at(&[broken(2, now()), complete(1, Outcome::Success)], after(10));
    assert_eq!((status(&rows, 2), status(&rows, 3)), (Status::Running, Status::Queued));
    assert_eq!(rows.location.next_due, Some(after(15)));
    rows.apply_at(&[held(3, 30)], after(12));
    rows.apply_at(&[Command::Sweep], after(15));
    assert_eq!((status(&rows, 2), status(&rows, 3)), (Status::Queued, Status::Running));
    assert_eq!(kinds(&rows, 2), ["queued", "started", "start_withdrawn"]);
    let place = rows.executions[1].place.clone().expect("it waits");
    assert_eq!((place.queued_at, rows.executions[1].start_time), (now(), now()), "it keeps its place");
    rows.check_sums();
}

#[test]
fn a_waiter_whose_start_is_withdrawn_as_it_calls_is_told_who_holds_the_location() {
    let mut rows = full_house(1);
    rows.apply_at(&[complete(1, Outcome::Success)], after(10));
    assert_eq!(rows.location.waiting, 0);
    let lacks = |commands: &[Command], now| {
        let snapshot = Snapshot { roster: Roster::new(rows.executions.clone()), ..rows.snapshot() };
        snapshot.lacks_holders(commands, now).is_some()
    };
    assert!(!lacks(&[beat(2)], after(34)) && lacks(&[beat(2)], after(35)));
    assert!(lacks(&[set_gate(GateState::Stopped, None), beat(2)], after(11)));
}

#[test]
fn a_waiter_that_hung_up_long_ago_is_passed_over_and_goes_first_once_it_is_back() {
    let mut rows = full_house(2);
    rows.apply_at(&[broken(2, now())], after(1));
    rows.apply_at(&[held(3, 30)], after(6));
    rows.apply_at(&[complete(1, Outcome::Success)], after(7));
    assert_eq!((status(&rows, 2), status(&rows, 3)), (Status::Queued, Status::Running));
    assert_eq!(kinds(&rows, 2), ["queued", "suspect"]);
    rows.apply_at(&[wait(900_000), beat(2), beat(3)], after(8));
    assert_eq!(kinds(&rows, 2), ["queued", "suspect", "recovered"]);
    rows.apply_at(&[complete(3, Outcome::Success)], after(9));
    assert_eq!((status(&rows, 2), status(&rows, 4)), (Status::Running, Status::Queued));
}

#[test]
fn a_waiter_that_comes_back_to_a_free_place_runs_at_once_and_knows_it() {
    let mut rows = full_house(1);
    rows.apply_at(&[broken(2, now())], after(1));
    rows.apply_at(&[complete(1, Outcome::Success)], after(10));
    assert_eq!(status(&rows, 2), Status::Queued);
    assert!(registered(&rows.apply_at(&[wait(50_000)], after(11))[0]), "nobody waits for one that is gone");
    let answers = rows.apply_at(&[held(2, 30)], after(12));
    assert!(matches!(&answers[0], Answer::Alive(run, None) if run.status == Status::Running && !run.is_untold()));
    rows.apply_at(&[Command::Sweep], after(71));
    assert_eq!(status(&rows, 2), Status::Running, "it has its lease");
}

#[test]
fn a_call_that_broke_off_means_nothing_once_its_waiter_called_again() {
    let mut rows = full_house(1);
    rows.apply_at(&[held(2, 30)], after(1));
    rows.apply_at(&[broken(2, now())], after(2));
    rows.apply_at(&[complete(1, Outcome::Success)], after(20));
    rows.apply_at(&[Command::Sweep], after(35));
    assert_eq!(status(&rows, 2), Status::Running);
}

#[test]
fn a_start_that_was_told_is_the_runners_for_its_whole_lease() {
    let mut rows = full_house(2);
    rows.apply_at(&[complete(1, Outcome::Success), beat(2)], after(10));
    assert!(!rows.executions[1].is_untold());
    rows.apply_at(&[broken(2, now()), held(3, 30)], after(10));
    rows.apply_at(&[held(3, 30), Command::Sweep], after(40));
    assert_eq!((status(&rows, 2), status(&rows, 3)), (Status::Running, Status::Queued));
}

#[test]
fn a_registration_whose_answer_was_lost_is_told_of_its_start_for_good() {
    let mut rows = full_house(0);
    let registration = Command::Register(Registration { id: Uuid::from_u128(7), ..waiting(900_000, 5) });
    rows.apply(std::slice::from_ref(&registration));
    rows.apply_at(&[complete(1, Outcome::Success)], after(10));
    assert!(rows.executions[1].is_untold());
    assert!(matches!(&rows.apply_at(&[registration], after(11))[0], Answer::Registered(run) if !run.is_untold()));
    rows.apply_at(&[Command::Sweep], after(61));
    assert_eq!(kinds(&rows, 2), ["queued", "started"]);
}

#[test]
fn a_start_that_nobody_heard_of_is_over_with_its_place_if_a_person_or_the_time_says_so() {
    let mut rows = full_house(1);
    rows.apply_at(&[complete(1, Outcome::Success), cancel(2, false)], after(10));
    assert_eq!(status(&rows, 2), Status::Ended(Outcome::Cancelled), "nothing of it runs that could be asked to stop");
    let mut rows = full_house(1);
    rows.apply_at(&[complete(1, Outcome::Success), set_gate(GateState::Stopped, None)], after(10));
    assert_eq!(kinds(&rows, 2), ["queued", "started", "start_withdrawn"]);
    let answers = rows.apply_at(&[held(2, 30)], after(11));
    assert!(matches!(&answers[0], Answer::Alive(run, Some(_)) if run.is_queued() && run.stop.is_none()));
    let mut rows = Rows::new(Some("here"));
    let short = Registration { wait_seconds: 20, ..waiting(900_000, 5) };
    rows.apply(&[wait(900_000), Command::Register(short)]);
    rows.apply_at(&[complete(1, Outcome::Success)], after(10));
    rows.apply_at(&[Command::Sweep], after(60));
    assert_eq!(rows.executions[1].end_reason, Some(EndReason::WaitTimeout));
    assert_eq!(kinds(&rows, 2), ["queued", "started", "start_withdrawn", "ended"]);
    rows.check_sums();
}

#[test]
fn an_outage_of_the_registry_counts_against_no_waiter() {
    let mut rows = full_house(1);
    rows.apply_at(&[complete(1, Outcome::Success)], after(1));
    assert!(rows.executions[1].is_untold());
    // Nothing was written for ten minutes.
    rows.decide(&[Command::Sweep], after(601));
    rows.continuity.resumed_at = Some(after(601));
    rows.apply_at(&[Command::Sweep], after(635));
    assert_eq!(status(&rows, 2), Status::Running);
    rows.apply_at(&[Command::Sweep], after(636));
    assert_eq!(kinds(&rows, 2), ["queued", "started", "start_withdrawn"], "as long as before, since it is back");
    rows.apply_at(&[Command::Sweep], after(661));
    assert_eq!(status(&rows, 2), Status::Ended(Outcome::Cancelled), "silent for a minute since the registry is back");
}

#[test]
fn a_lease_for_the_queue_alone_ends_with_the_waiting() {
    let mut rows = Rows::new(Some("here"));
    let only_waits = |millionths| {
        let registration = waiting(millionths, 5);
        let lease = registration.lease.clone().map(|(_, token)| (0, token));
        Command::Register(Registration { lease, ..registration })
    };
    rows.apply(&[only_waits(900_000), only_waits(900_000)]);
    assert_eq!(rows.executions[0].lease, None, "it starts at once, and is nobody's but a person's");
    rows.apply_at(
        &[held(2, 30), Command::Complete { run_id: RunId(1), outcome: Outcome::Success, token: None }],
        after(5),
    );
    assert!(rows.executions[1].is_untold());
    rows.apply_at(&[beat(2)], after(6));
    assert_eq!((status(&rows, 2), rows.executions[1].lease.clone()), (Status::Running, None));
    rows.apply_at(&[Command::Sweep], after(100_000));
    assert_eq!(status(&rows, 2), Status::Running);
    rows.check_sums();
}

proptest! {
    /// Waiters that died at any time, whatever they had done before, cost the living one a minute at the most.
    #[test]
    fn however_many_waiters_are_dead_the_living_starts_within_a_minute(
        dead in vec((0..60_i64, any::<bool>(), any::<bool>()), 1..12),
        free_at in 0..120_i64,
    ) {
        let mut rows = Rows::new(Some("here"));
        rows.apply(&[wait(900_000)]);
        for _ in &dead {
            rows.apply(&[wait(900_000)]);
        }
        let living = dead.len() + 2;
        rows.apply(&[wait(900_000)]);
        let (mut started_at, mut last_word) = (None, 0);
        for second in 0..240 {
            for (index, (until, is_held, hangs_up)) in dead.iter().enumerate() {
                let run_id = index as i64 + 2;
                if second <= *until && second % 10 == 0 {
                    rows.apply_at(&[if *is_held { held(run_id, 30) } else { beat(run_id) }], after(second));
                    last_word = last_word.max(second);
                }
                let hung_up_at = until / 10 * 10 + 1;
                if *is_held && *hangs_up && second == hung_up_at {
                    rows.apply_at(&[broken(run_id, after(hung_up_at - 1))], after(second));
                }
            }
            if second % 5 == 0 {
                rows.apply_at(&[held(living as i64, 30)], after(second));
            }
            if second == free_at {
                rows.apply_at(&[complete(1, Outcome::Success)], after(second));
            } else if second < free_at && second % 10 == 0 {
                rows.apply_at(&[beat(1)], after(second));
            }
            rows.apply_at(&[Command::Sweep], after(second));
            rows.check_sums();
            let told = rows.executions.iter().filter(|run| run.status == Status::Running).count();
            prop_assert!(told <= 1);
            if status(&rows, living) == Status::Running {
                started_at = Some(second);
                break;
            }
        }
        // One of the dead may have been told before it died; then its lease protects its load.
        let told_before = rows.executions.iter().any(|run| run.end_reason == Some(EndReason::Lost) && run.run_id != RunId(1))
            || rows.executions[1..living - 1].iter().any(|run| run.status == Status::Running);
        if !told_before {
            prop_assert!(started_at.is_some_and(|at| at <= free_at.max(last_word) + 60), "{started_at:?}");
        }
    }

    /// A waiter that comes back in its own rhythm is neither overtaken nor started in vain.
    #[test]
    fn a_waiter_that_keeps_its_rhythm_is_never_passed_over(
        rhythm in 1..54_i64,
        late in vec(0..=4_i64, 1..30),
        free_at in 0..400_i64,
    ) {
        let mut rows = Rows::new(Some("here"));
        rows.apply(&[wait(900_000), wait(900_000), wait(900_000)]);
        let mut next = rhythm;
        let mut late = late.iter().cycle();
        for second in 1..500_i64 {
            if second == next {
                rows.apply_at(&[beat(2)], after(second));
                next += rhythm + late.next().expect("it goes on for ever") - 2;
                next = next.max(second + 1);
            }
            rows.apply_at(&[beat(3)], after(second));
            if second == free_at {
                rows.apply_at(&[complete(1, Outcome::Success)], after(second));
            } else if second < free_at {
                rows.apply_at(&[beat(1)], after(second));
            }
            rows.apply_at(&[Command::Sweep], after(second));
        }
        let unwanted = [EventKind::Suspect, EventKind::StartWithdrawn];
        prop_assert!(!rows.events.iter().any(|event| event.run_id == Some(RunId(2)) && unwanted.contains(&event.kind)));
        prop_assert!(free_at == 0 || status(&rows, 2) == Status::Running);
    }
}

#[test]
fn a_waiter_of_which_nothing_is_known_yet_has_a_minute() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(900_000), wait(900_000), wait(50_000)]);
    rows.apply_at(&[complete(1, Outcome::Success)], after(55));
    assert_eq!(status(&rows, 2), Status::Running, "its first heartbeat may come after a minute");
    assert_eq!(rows.location.next_due, Some(now() + SignedDuration::from_secs(60)));
}
