use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::board::{Board, BoardLocation, BoardSnapshot};
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::execution::lease::{Lease, TokenHash};
use crate::domain::execution::priority::Priority;
use crate::domain::execution::{Details, Execution, Registration, RunId};
use crate::domain::gate::{Gate, GateState};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("in range")
}

fn registration(priority: u8) -> Registration {
    let details = Details {
        factor: Some(Factor::from_millionths(600_000)),
        location: Some(LocationName::new("here")),
        ..Details::clone(&Registration::example().details)
    };
    Registration {
        priority: Priority::new(priority).expect("up to 9"),
        wait_seconds: 3_600,
        expected_seconds: Some(600),
        details: Arc::new(details),
        ..Registration::example()
    }
}

fn waiter(run_id: i64, priority: u8, second: i64) -> Execution {
    Execution::queued(&registration(priority), RunId(run_id), at(second))
}

/// One run of 600 s that began at 0, and these waiters.
fn here(queued: Vec<Execution>, waiting: i64, registry: Gate) -> BoardLocation {
    let run = Execution::started(&registration(5), RunId(1), at(0), 1);
    let used = run.factor();
    let location = Location { used, running: 1, waiting, ..Location::unused(Some(LocationName::new("here"))) };
    let snapshot = BoardSnapshot { registry, locations: vec![location], running: vec![run], queued };
    Board::new(snapshot, at(60)).locations.remove(0)
}

#[test]
fn waiters_stand_in_the_order_of_the_rule_with_their_expected_starts() {
    let here = here(vec![waiter(2, 5, 10), waiter(3, 7, 20), waiter(4, 5, 5)], 3, Gate::OPEN);
    assert_eq!(here.running[0].expected_end, Some(at(600)));
    let told: Vec<_> =
        here.queue.iter().map(|one| (one.execution.run_id.0, one.position, one.estimated_start)).collect();
    let start = |second| Some(at(second));
    assert_eq!(told, [(3, Some(1), start(600)), (4, Some(2), start(1_200)), (2, Some(3), start(1_800))]);
    assert_eq!(here.clone().shortened(1).queue, here.queue[..1]);
}

#[test]
fn a_waiter_that_is_passed_over_comes_last_and_has_no_position() {
    let silent = waiter(2, 9, 1).heard_waiting(SignedDuration::ZERO, at(2));
    let lease = Lease { suspect: true, ..Lease::new(0, TokenHash("secret".to_owned())) };
    let suspect = Execution { lease: Some(lease), ..silent };
    let here = here(vec![suspect, waiter(3, 5, 20)], 2, Gate::OPEN);
    let told: Vec<_> = here.queue.iter().map(|one| (one.execution.run_id.0, one.position)).collect();
    assert_eq!(told, [(3, Some(1)), (2, None)]);
}

#[test]
fn nothing_is_told_of_an_order_of_which_a_part_is_missing() {
    let here = here(vec![waiter(2, 5, 10)], 7, Gate::OPEN);
    assert_eq!((here.queue[0].position, here.queue[0].estimated_start), (None, None));
}

#[test]
fn no_start_is_expected_where_a_run_is_missing_and_the_order_is_told_all_the_same() {
    let location = Location { running: 2, waiting: 1, ..Location::unused(Some(LocationName::new("here"))) };
    let run = Execution::started(&registration(5), RunId(1), at(0), 1);
    let (running, queued) = (vec![run], vec![waiter(2, 5, 10)]);
    let snapshot = BoardSnapshot { registry: Gate::OPEN, locations: vec![location], running, queued };
    let here = Board::new(snapshot, at(60)).locations.remove(0);
    assert_eq!((here.queue[0].position, here.queue[0].estimated_start), (Some(1), None));
}

#[test]
fn adopted_runs_are_counted_also_where_they_are_not_shown() {
    let run = |run_id, fence| {
        let run = Execution::started(&registration(5), RunId(run_id), at(run_id), 1);
        Execution { fence, ..run }
    };
    let location = Location { running: 3, ..Location::unused(Some(LocationName::new("here"))) };
    let running = vec![run(1, None), run(2, Some(1)), run(3, None)];
    let snapshot = BoardSnapshot { locations: vec![location], running, ..BoardSnapshot::default() };
    let here = Board::new(snapshot, at(60)).locations.remove(0).shortened(1);
    assert_eq!((here.adopted, here.running.len()), (2, 1));
}

#[test]
fn the_stricter_gate_is_shown_and_whose_it_is() {
    let stopped = Gate { state: GateState::Stopped, until: Some(at(3_000)), ..Gate::OPEN };
    let closed = here(vec![waiter(2, 5, 10)], 1, stopped.clone());
    assert_eq!((closed.gate, closed.closed_by_registry), (stopped, true));
    assert_eq!(closed.queue[0].estimated_start, Some(at(3_000)), "once the gate opens by itself");
    let over = Gate { state: GateState::Stopped, until: Some(at(30)), ..Gate::OPEN };
    let open = here(Vec::new(), 0, over);
    assert_eq!((open.gate, open.closed_by_registry), (Gate::OPEN, false));
}
