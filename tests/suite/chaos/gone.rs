//! What the checkers say of waiters that hang up, and of starts that nobody was told of.

use super::*;

const HANGS_UP: usize = 2;
const HELD_BEHIND: usize = 4;
const LOOKS: usize = 6;
const REFUSED: usize = 7;
const COMES_BACK: usize = 8;

fn at(tenths: i64) -> Moment {
    tenths * SECOND / 10
}

fn waiting(op: u64) -> Registration {
    Registration { wait_seconds: 60, lease_seconds: Some(600), has_key: true, ..registration(op, 500_000) }
}

fn told(run_id: i64, fence: i64) -> Answer {
    Answer::Running { run_id, fence, lease_expires_at: None }
}

fn beat(sent: i64, answered: i64, run_id: i64, answer: Answer) -> Call {
    Call { is_held: true, ..call(at(sent), at(answered), Ask::Beat { run_id }, answer) }
}

/// One location of capacity 1. Run 1 holds 0.6 from 1 s to 5 s. Runs 2 and 3 of 0.5 wait; run 2 hangs up at 4.5 s, and
/// is started when run 1 ends. At 9.5 s that is withdrawn, and run 3 starts. Run 2 is back at 20 s and runs from 22 s,
/// when run 3 ends, to 23 s.
pub fn history() -> Evidence {
    let queued = |run_id, ahead| Answer::Queued { run_id, room: Some(room(600_000, ahead)) };
    let complete = |sent, run_id| {
        let ask = Ask::Complete { run_id, status: Status::Success };
        call(at(sent), at(sent + 2), ask, ended(Status::Success))
    };
    let place = Room { used: 500_000, ahead: 0, is_open: true };
    let calls = vec![
        call(at(10), at(12), Ask::Register(registration(1, 600_000)), running(1)),
        call(at(30), at(32), Ask::Register(waiting(2)), queued(2, 0)),
        beat(33, 45, 2, Answer::HungUp),
        call(at(35), at(37), Ask::Register(waiting(3)), queued(3, 1)),
        beat(38, 96, 3, told(3, 3)),
        complete(50, 1),
        call(at(60), at(61), Ask::Look { run_id: 2 }, told(2, 2)),
        call(at(150), at(151), Ask::Register(registration(4, 500_000)), Answer::Refused(room(500_000, 0))),
        beat(200, 221, 2, told(2, 4)),
        call(at(205), at(206), Ask::Register(registration(5, 500_000)), Answer::Refused(room(500_000, 1))),
        call(at(207), at(208), Ask::Beat { run_id: 2 }, Answer::Queued { run_id: 2, room: Some(place) }),
        complete(219, 3),
        complete(229, 2),
        call(at(600), at(601), Ask::Look { run_id: 1 }, ended(Status::Success)),
    ];
    let over = |run: Execution, end| Execution { status: Status::Success, end: Some(end), ..run };
    let waited = |run: Execution, queued| Execution { queued: Some(queued), lease_seconds: Some(600), ..run };
    let first = over(run(1, 1, 600_000, at(11)), at(51));
    let second = Execution { fence: Some(4), ..waited(over(run(2, 2, 500_000, at(220)), at(230)), at(31)) };
    let third = waited(over(run(3, 3, 500_000, at(95)), at(220)), at(36));
    let events = vec![
        event(at(11), "started", 1),
        event(at(31), "queued", 2),
        event(at(36), "queued", 3),
        event(at(51), "ended", 1),
        event(at(51), "started", 2),
        Event { fence: Some(2), ..event(at(95), "start_withdrawn", 2) },
        event(at(95), "started", 3),
        event(at(201), "recovered", 2),
        event(at(220), "ended", 3),
        event(at(220), "started", 2),
        event(at(230), "ended", 2),
    ];
    let location = Location { index: 0, capacity: CAPACITY, used: 0, running: 0, waiting: 0, leased: 0, is_open: true };
    Evidence {
        calls,
        runs: vec![first, second, third],
        locations: vec![location],
        events,
        faults: Vec::new(),
        capacities: vec![CAPACITY],
    }
}

fn caught(change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    caught_in(history(), change)
}

/// Moves the withdrawal, and the start that it makes room for.
fn withdraw_at(evidence: &mut Evidence, moment: Moment) {
    (evidence.events[5].at, evidence.events[6].at, evidence.runs[2].start) = (moment, moment, moment);
}

#[test]
fn a_start_that_is_withdrawn_from_a_waiter_that_hung_up_is_as_it_should_be() {
    assert_eq!(caught(|_| ()), Vec::<&str>::new());
}

#[test]
fn a_start_that_was_told_and_is_withdrawn_is_caught() {
    let caught = caught(|evidence| evidence.calls[HANGS_UP].answer = told(2, 2));
    assert!(caught.contains(&"lost acknowledgement"), "{caught:?}");
}

#[test]
fn who_looks_may_see_a_start_that_is_withdrawn_but_none_that_never_was() {
    let caught = caught(|evidence| evidence.calls[LOOKS].answer = told(2, 9));
    assert_eq!(caught, ["lost acknowledgement", "linearizability"]);
}

#[test]
fn a_waiter_that_is_gone_and_holds_up_others_is_caught_unless_something_was_broken() {
    let slow = |evidence: &mut Evidence| withdraw_at(evidence, at(190));
    let found = caught(|evidence| {
        slow(evidence);
        evidence.calls[HELD_BEHIND].answered = at(191);
        evidence.calls[REFUSED].answer = Answer::Refused(room(500_000, 1));
    });
    assert_eq!(found, ["waiters that are gone"]);
    let in_the_queue = caught(|evidence| {
        // It is neither started nor passed over, and run 3 waits behind it for ever.
        evidence.events.retain(|event| event.run_id != Some(2) || event.what == "queued");
        evidence.events.retain(|event| event.run_id != Some(3) || event.what == "queued");
        evidence.calls.retain(|call| call.sent < at(100) || call.sent > at(500));
        for run in &mut evidence.runs[1..] {
            (run.status, run.fence, run.end, run.start) = (Status::Queued, None, None, run.queued.expect("it waits"));
        }
    });
    assert!(in_the_queue.contains(&"waiters that are gone"), "{in_the_queue:?}");
    let excused = caught(|evidence| {
        slow(evidence);
        evidence.calls[HELD_BEHIND].answered = at(191);
        evidence.calls[REFUSED].answer = Answer::Refused(room(500_000, 1));
        evidence.faults.push(Fault { what: "server 1 frozen".to_owned(), begin: at(70), end: at(80) });
    });
    assert_eq!(excused, Vec::<&str>::new());
}

#[test]
fn what_runs_beside_a_start_that_is_not_withdrawn_yet_is_caught() {
    let caught = caught(|evidence| {
        (evidence.events[6].at, evidence.runs[2].start) = (at(80), at(80));
        evidence.events.swap(5, 6);
    });
    assert!(caught.contains(&"over-admission, as recorded"), "{caught:?}");
}

#[test]
fn who_starts_before_a_waiter_that_was_not_passed_over_is_caught() {
    let caught = caught(|evidence| {
        evidence.events.retain(|event| event.run_id != Some(2) || event.at > at(200) || event.what == "queued");
        evidence.calls.remove(LOOKS);
    });
    assert!(caught.contains(&"order of the queue"), "{caught:?}");
    assert!(caught.contains(&"linearizability"), "{caught:?}");
}

#[test]
fn a_waiter_that_starts_although_it_is_passed_over_is_caught() {
    let caught = caught(|evidence| evidence.events.retain(|event| event.what != "recovered"));
    assert_eq!(caught, ["linearizability"]);
}

#[test]
fn a_waiter_that_is_counted_although_it_is_passed_over_is_caught() {
    let caught = caught(|evidence| evidence.calls[REFUSED].answer = Answer::Refused(room(500_000, 1)));
    assert_eq!(caught, ["linearizability"]);
}

#[test]
fn a_fence_that_a_withdrawn_start_had_and_another_has_is_caught() {
    let caught = caught(|evidence| evidence.events[5].fence = Some(3));
    assert!(caught.contains(&"run_ids and fences"), "{caught:?}");
}

#[test]
fn a_withdrawal_without_a_start_and_a_start_without_its_event_are_caught() {
    let caught = caught(|evidence| drop(evidence.events.remove(4)));
    assert!(caught.contains(&"rows and events"), "{caught:?}");
}

#[test]
fn a_lease_for_the_queue_alone_is_gone_once_the_start_was_told_and_not_before() {
    let lease_for_the_queue = |evidence: &mut Evidence, lease: Option<u32>| {
        for call in &mut evidence.calls {
            if let Ask::Register(registration) = &mut call.ask {
                registration.lease_seconds = registration.lease_seconds.map(|_| 0);
            }
        }
        (evidence.runs[1].lease_seconds, evidence.runs[2].lease_seconds) = (lease, lease);
    };
    assert_eq!(caught(|evidence| lease_for_the_queue(evidence, None)), Vec::<&str>::new());
    assert_eq!(caught(|evidence| lease_for_the_queue(evidence, Some(600))), ["lost acknowledgement"]);
}

#[test]
fn a_waiter_that_comes_back_and_is_told_an_earlier_start_is_caught() {
    let caught = caught(|evidence| evidence.calls[COMES_BACK].answer = told(2, 2));
    assert!(caught.contains(&"lost acknowledgement"), "{caught:?}");
}
