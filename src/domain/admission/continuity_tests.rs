use crate::domain::execution::Outcome;
use crate::domain::execution::Registration;
use proptest::prelude::*;

use super::tests::{Rows, now, register};
use super::waiting_tests::{after, beat, complete, wait, waiting};
use super::*;
use crate::domain::execution::{EndReason, Status};

const SUSPECT: Option<Status> = None;

/// Running, suspect, or how it ended.
fn condition(rows: &Rows, run_id: usize) -> Option<Status> {
    let run = &rows.executions[run_id - 1];
    let is_suspect = run.lease.as_ref().is_some_and(|lease| lease.suspect);
    (!is_suspect).then_some(run.status)
}

fn pulse(rows: &mut Rows, now: Timestamp) {
    if let Some(pulse) = rows.continuity.pulse(rows.location.waiting + rows.location.leased == 0, now) {
        rows.continuity = pulse.continuity;
    }
}

#[test]
fn nobody_is_given_up_for_a_silence_of_the_registry() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(900_000), wait(900_000)]);
    // Nobody could beat for ten minutes, and the first to come back is the sweeper.
    rows.decide(&[Command::Sweep], after(600));
    assert_eq!((condition(&rows, 1), condition(&rows, 2)), (Some(Status::Running), Some(Status::Queued)));
    pulse(&mut rows, after(601));
    rows.decide(&[Command::Sweep], after(601));
    assert_eq!((condition(&rows, 1), condition(&rows, 2)), (Some(Status::Running), Some(Status::Queued)));
    assert_eq!(rows.location.next_due, Some(after(661)), "nothing is due, so that nobody looks again before");
    rows.apply_at(&[beat(2)], after(660));
    rows.apply_at(&[Command::Sweep], after(661));
    assert_eq!(condition(&rows, 1), SUSPECT);
    rows.apply_at(&[beat(2)], after(719));
    rows.apply_at(&[Command::Sweep], after(721));
    assert_eq!(rows.executions[0].end_reason, Some(EndReason::Lost), "two leases after the registry was back");
    assert_eq!(condition(&rows, 2), Some(Status::Running));
    rows.check_sums();
}

#[test]
fn one_that_was_suspect_before_the_registry_went_away_stays_so_until_it_is_heard() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(900_000)]);
    rows.apply_at(&[Command::Sweep], after(60));
    pulse(&mut rows, after(600));
    rows.decide(&[Command::Sweep], after(600));
    assert_eq!((condition(&rows, 1), rows.location.next_due), (SUSPECT, Some(after(720))));
    rows.decide(&[beat(1)], after(601));
    assert_eq!(condition(&rows, 1), Some(Status::Running));
}

#[test]
fn how_long_one_waits_is_not_changed_by_a_silence_of_the_registry() {
    let mut rows = Rows::new(Some("here"));
    let short = Registration { wait_seconds: 300, ..waiting(500_000, 5) };
    rows.apply(&[register(900_000), Command::Register(short)]);
    rows.decide(&[Command::Sweep], after(299));
    assert_eq!(condition(&rows, 2), Some(Status::Queued));
    rows.decide(&[Command::Sweep], after(300));
    assert_eq!(rows.executions[1].end_reason, Some(EndReason::WaitTimeout));
}

#[test]
fn a_clock_that_is_set_back_makes_no_lease_longer() {
    let mut rows = Rows::new(Some("here"));
    rows.apply_at(&[wait(900_000)], after(3_600));
    rows.decide(&[Command::Sweep], after(0));
    pulse(&mut rows, after(1));
    rows.decide(&[Command::Sweep], after(1));
    assert_eq!(rows.location.next_due, Some(after(61)));
    rows.apply_at(&[Command::Sweep], after(121));
    assert_eq!(rows.executions[0].end_reason, Some(EndReason::Lost));
}

#[test]
fn no_fence_is_smaller_than_the_floor() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[wait(500_000), wait(900_000)]);
    rows.continuity.fence_floor = 1 << 40;
    rows.apply(&[complete(1, Outcome::Success), complete(2, Outcome::Success), wait(100_000)]);
    let fences: Vec<_> = rows.executions.iter().map(|run| run.fence).collect();
    assert_eq!(fences, [Some(1), Some(1 << 40), Some((1 << 40) + 1)]);
}

/// What goes wrong: the registry is away, or its clock is set.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// When it is away, in seconds of real time.
    away: (i64, i64),
    /// When the clock is set, and by how much.
    set_at: i64,
    set_by: i64,
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    (1..100_i64, 0..300_i64, 1..300_i64, prop_oneof![Just(0), -3_600..3_600_i64])
        .prop_map(|(from, length, set_at, set_by)| Trouble { away: (from, from + length), set_at, set_by })
}

/// Lets nine minutes pass. The first runner beats within its lease whenever the registry is there,
/// the second dies. Gives when the second was lost.
fn live_through(trouble: Trouble, beats_every: i64, dies_at: i64) -> Option<i64> {
    let mut rows = Rows::new(Some("here"));
    pulse(&mut rows, now());
    rows.decide(&[wait(400_000), wait(400_000)], now());
    let (mut lost_at, mut beaten_at) = (None, 0);
    for second in 0..540_i64 {
        if (trouble.away.0..trouble.away.1).contains(&second) {
            continue;
        }
        let clock = if second < trouble.set_at { after(second) } else { after(second + trouble.set_by) };
        // Whoever is first to reach the registry again, it is not the pulse.
        rows.decide(&[Command::Sweep], clock);
        pulse(&mut rows, clock);
        rows.decide(&[Command::Sweep], clock);
        if second >= beaten_at + beats_every {
            beaten_at = second;
            rows.decide(&[beat(1)], clock);
            if second < dies_at {
                rows.decide(&[beat(2)], clock);
            }
        }
        assert_eq!(rows.executions[0].status, Status::Running, "the runner that lives, after {second} s");
        if rows.executions[1].end_reason == Some(EndReason::Lost) && lost_at.is_none() {
            lost_at = Some(second);
        }
    }
    lost_at
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_outage_and_clock_nobody_who_beats_is_lost_and_the_dead_are(
        trouble in any_trouble(),
        beats_every in 1..55_i64,
        dies_at in 0..150_i64,
    ) {
        let lost_at = live_through(trouble, beats_every, dies_at);
        let settled = dies_at.max(trouble.away.1).max(trouble.set_at);
        let latest = settled + 2 * i64::from(crate::domain::execution::lease::Lease::DEFAULT_SECONDS) + 10;
        prop_assert!(lost_at.is_some_and(|at| at <= latest), "lost at {lost_at:?}, not by {latest}");
    }
}

#[test]
fn without_trouble_a_dead_runner_is_lost_after_two_leases() {
    let never = Trouble { away: (0, 0), set_at: 900, set_by: 0 };
    assert_eq!(live_through(never, 10, 30), Some(20 + 2 * 60));
}
