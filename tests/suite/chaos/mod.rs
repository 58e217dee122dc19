//! The checkers of the chaos harness: a good history passes, and each kind of bad one is caught by the right checker.

#[path = "../../../chaos/check/mod.rs"]
mod check;
mod gone;

use check::{
    Answer, Ask, Call, Event, Evidence, Execution, Fault, Location, Moment, Registration, Room, SECOND, Status, judge,
};

const CAPACITY: i64 = 1_000_000;

fn call(sent: Moment, answered: Moment, ask: Ask, answer: Answer) -> Call {
    Call { client: 1, location: 0, sent, answered, attempts: 1, server: 1, is_held: false, ask, answer }
}

fn registration(op: u64, factor: i64) -> Registration {
    Registration { op, factor, wait_seconds: 0, priority: 5, lease_seconds: None, has_key: false }
}

fn run(run_id: i64, op: u64, factor: i64, start: Moment) -> Execution {
    Execution {
        run_id,
        location: 0,
        op,
        status: Status::Running,
        factor,
        fence: Some(run_id),
        start,
        end: None,
        end_reason: None,
        queued: None,
        priority: 5,
        lease_seconds: None,
    }
}

fn event(at: Moment, what: &str, run_id: i64) -> Event {
    Event { at, what: what.to_owned(), run_id: Some(run_id), op: None, fence: None }
}

fn room(used: i64, ahead: usize) -> Room {
    Room { used, ahead, is_open: true }
}

fn running(run_id: i64) -> Answer {
    Answer::Running { run_id, fence: run_id, lease_expires_at: None }
}

fn ended(status: Status) -> Answer {
    Answer::Ended { status, reason: None }
}

/// What is done there besides: the gate is closed and opened, somebody looks for what was never admitted, and a run is
/// asked to stop.
fn rest(at: impl Fn(i64) -> Moment) -> [Call; 7] {
    let gate = |sent, is_open, op| call(at(sent), at(sent + 1), Ask::SetGate { op, is_open }, Answer::GateSet);
    let closed = Room { used: 500_000, ahead: 0, is_open: false };
    [
        gate(100, false, 50),
        call(at(102), at(103), Ask::Register(registration(4, 100_000)), Answer::Refused(closed)),
        gate(104, true, 51),
        call(at(110), at(111), Ask::Cancel { run_id: 2, force: false }, Answer::Stopping),
        call(at(112), at(113), Ask::Find { op: 2 }, Answer::NotFound),
        call(at(114), at(115), Ask::Complete { run_id: 77, status: Status::Success }, Answer::Unknown),
        call(at(116), at(117), Ask::CompleteAsStranger { run_id: 2 }, Answer::WrongToken),
    ]
}

/// One location of capacity 1. Run 1 holds 0.6 from 1 s to 5 s. A test of 0.5 is refused at 2 s, and run 2 of 0.5
/// waits from 3 s, starts when run 1 ends, and is given up at 27 s.
fn good() -> Evidence {
    let waiting = Registration { wait_seconds: 8, lease_seconds: Some(10), has_key: true, ..registration(3, 500_000) };
    let at = |tenths: i64| tenths * SECOND / 10;
    let mut first = run(1, 1, 600_000, at(11));
    (first.status, first.end) = (Status::Success, Some(at(51)));
    let mut second = run(2, 3, 500_000, at(51));
    (second.queued, second.lease_seconds) = (Some(at(31)), Some(10));
    (second.status, second.end, second.end_reason) = (Status::Failure, Some(at(271)), Some("lost".to_owned()));
    let lost = Some("lost".to_owned());
    let mut held = call(at(33), at(52), Ask::Beat { run_id: 2 }, running(2));
    held.is_held = true;
    let late = Answer::EndedOtherwise { status: Status::Failure, reason: lost.clone() };
    let set = |at, op| Event { at, what: "location_set".to_owned(), run_id: None, op: Some(op), fence: None };
    let mut evidence = Evidence {
        calls: vec![
            call(at(10), at(12), Ask::Register(registration(1, 600_000)), running(1)),
            call(at(20), at(22), Ask::Register(registration(2, 500_000)), Answer::Refused(room(600_000, 0))),
            call(at(30), at(32), Ask::Register(waiting), Answer::Queued { run_id: 2, room: Some(room(600_000, 0)) }),
            held,
            call(at(50), at(53), Ask::Complete { run_id: 1, status: Status::Success }, ended(Status::Success)),
            call(at(60), at(61), Ask::Beat { run_id: 2 }, running(2)),
            call(at(275), at(276), Ask::Look { run_id: 2 }, Answer::Ended { status: Status::Failure, reason: lost }),
            call(at(280), at(281), Ask::Complete { run_id: 2, status: Status::Success }, late),
            call(at(500), at(501), Ask::Look { run_id: 1 }, ended(Status::Success)),
        ],
        runs: vec![first, second],
        locations: vec![Location {
            index: 0,
            capacity: CAPACITY,
            used: 0,
            running: 0,
            waiting: 0,
            leased: 0,
            is_open: true,
        }],
        events: vec![
            event(at(11), "started", 1),
            event(at(31), "queued", 2),
            event(at(51), "ended", 1),
            event(at(51), "started", 2),
            set(at(101), 50),
            set(at(105), 51),
            event(at(271), "ended", 2),
        ],
        faults: Vec::new(),
        capacities: vec![CAPACITY],
    };
    evidence.calls.extend(rest(at));
    evidence
}

/// The checkers that find something wrong in the good history after this change.
fn caught(change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    caught_in(good(), change)
}

fn caught_in(mut evidence: Evidence, change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    change(&mut evidence);
    evidence.calls.sort_by_key(|call| call.sent);
    evidence.events.sort_by_key(|event| event.at);
    judge(&evidence)
        .into_iter()
        .filter(|verdict| !verdict.violations.is_empty())
        .map(|verdict| verdict.checker)
        .collect()
}

/// A run that was admitted beside whatever else there is.
fn admit(evidence: &mut Evidence, run_id: i64, factor: i64, at: Moment) {
    let op = run_id.unsigned_abs() * 100;
    evidence.calls.push(call(
        at - SECOND / 10,
        at + SECOND / 10,
        Ask::Register(registration(op, factor)),
        running(run_id),
    ));
    evidence.runs.push(run(run_id, op, factor, at));
    evidence.events.push(event(at, "started", run_id));
    evidence.locations[0].used += factor;
    evidence.locations[0].running += 1;
}

#[test]
fn good_histories_pass_and_every_checker_has_judged_something() {
    for (verdict, other) in judge(&good()).into_iter().zip(judge(&gone::history())) {
        let found = verdict.violations.iter().chain(&other.violations);
        let found: Vec<String> = found.map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}: {}", verdict.checker, found.join("\n"));
        assert!(verdict.judged + other.judged > 0, "{}", verdict.checker);
    }
}

#[test]
fn too_many_at_once_are_caught_as_clients_saw_it_as_recorded_and_as_an_order_that_does_not_exist() {
    let caught = caught(|evidence| admit(evidence, 3, 400_000, 4 * SECOND));
    for checker in ["over-admission, as clients saw it", "over-admission, as recorded", "linearizability"] {
        assert!(caught.contains(&checker), "{checker} of {caught:?}");
    }
}

#[test]
fn a_refusal_of_what_fits_is_caught() {
    let refused = |used| {
        let answer = Answer::Refused(room(used, 0));
        call(60 * SECOND, 61 * SECOND, Ask::Register(registration(9, 300_000)), answer)
    };
    // The second says itself that there is no room, but nothing ran any more.
    for used in [0, 900_000] {
        let caught = caught(|evidence| evidence.calls.push(refused(used)));
        assert_eq!(caught, ["false refusal", "linearizability"], "{used}");
    }
}

#[test]
fn what_was_acknowledged_and_is_not_there_is_caught() {
    let lost = caught(|evidence| {
        admit(evidence, 3, 100_000, 60 * SECOND);
        evidence.runs.pop();
        (evidence.locations[0].used, evidence.locations[0].running) = (0, 0);
    });
    assert_eq!(lost, ["lost acknowledgement"]);
    let revived = caught(|evidence| {
        (evidence.runs[0].status, evidence.runs[0].end) = (Status::Running, None);
        (evidence.locations[0].used, evidence.locations[0].running) = (600_000, 1);
    });
    assert!(revived.contains(&"lost acknowledgement"), "{revived:?}");
    let unexpected = caught(|evidence| evidence.calls[1].answer = Answer::Unexpected("500".to_owned()));
    assert_eq!(unexpected, ["lost acknowledgement"]);
}

#[test]
fn what_was_said_not_to_have_happened_and_has_is_caught() {
    let caught = caught(|evidence| {
        admit(evidence, 3, 100_000, 60 * SECOND);
        evidence.calls.last_mut().expect("a call").answer = Answer::Unavailable;
    });
    assert_eq!(caught, ["lost acknowledgement"]);
}

#[test]
fn what_nobody_knows_may_have_happened_or_not() {
    let unknown = |evidence: &mut Evidence| {
        admit(evidence, 3, 100_000, 60 * SECOND);
        evidence.calls.last_mut().expect("a call").answer = Answer::Unknown;
    };
    assert_eq!(caught(unknown), Vec::<&str>::new());
    let nothing = |evidence: &mut Evidence| {
        let ask = Ask::Register(registration(9, 300_000));
        evidence.calls.push(call(60 * SECOND, 61 * SECOND, ask, Answer::Unknown));
    };
    assert_eq!(caught(nothing), Vec::<&str>::new());
}

#[test]
fn a_number_that_is_given_twice_or_shrinks_is_caught() {
    let twice = caught(|evidence| {
        admit(evidence, 3, 100_000, 60 * SECOND);
        admit(evidence, 4, 100_000, 62 * SECOND);
        let last = evidence.runs.last_mut().expect("a run");
        last.fence = Some(3);
        evidence.calls.last_mut().expect("a call").answer =
            Answer::Running { run_id: 4, fence: 3, lease_expires_at: None };
    });
    assert!(twice.contains(&"run_ids and fences"), "{twice:?}");
    let shrinking = caught(|evidence| {
        admit(evidence, 4, 100_000, 60 * SECOND);
        admit(evidence, 3, 100_000, 62 * SECOND);
    });
    assert!(shrinking.contains(&"run_ids and fences"), "{shrinking:?}");
    let one_request = caught(|evidence| {
        admit(evidence, 3, 100_000, 60 * SECOND);
        admit(evidence, 4, 100_000, 62 * SECOND);
        evidence.runs.last_mut().expect("a run").op = 300;
    });
    assert!(one_request.contains(&"run_ids and fences"), "{one_request:?}");
}

#[test]
fn what_can_never_be_said_of_a_run_is_caught() {
    let not_started = caught(|evidence| evidence.calls[4].answer = Answer::NotStarted);
    assert!(not_started.contains(&"lost acknowledgement"), "{not_started:?}");
}

#[test]
fn a_time_that_goes_back_at_a_location_is_caught() {
    let caught = caught(|evidence| {
        admit(evidence, 3, 100_000, 60 * SECOND);
        evidence.runs[2].start = 4 * SECOND;
    });
    assert!(caught.contains(&"run_ids and fences"), "{caught:?}");
}

#[test]
fn whoever_starts_before_those_who_wait_is_caught() {
    let caught = caught(|evidence| {
        admit(evidence, 3, 100_000, 4 * SECOND);
        // It was admitted before the waiter, whose fence came after.
        evidence.runs[2].fence = Some(2);
        evidence.runs[1].fence = Some(3);
    });
    assert!(caught.contains(&"order of the queue"), "{caught:?}");
}

#[test]
fn a_lease_that_ends_early_or_never_is_caught() {
    let early = caught(|evidence| evidence.runs[1].end = Some(20 * SECOND));
    assert!(early.contains(&"leases"), "{early:?}");
    let never = caught(|evidence| {
        let run = &mut evidence.runs[1];
        (run.status, run.end, run.end_reason) = (Status::Running, None, None);
    });
    assert!(never.contains(&"leases"), "{never:?}");
    let short = caught(|evidence| {
        let answer = Answer::Running { run_id: 2, fence: 2, lease_expires_at: Some(15 * SECOND) };
        evidence.calls[5].answer = answer;
    });
    assert_eq!(short, ["leases"]);
}

#[test]
fn a_lost_run_or_a_stranger_that_is_believed_is_caught() {
    let zombie = caught(|evidence| evidence.calls[7].answer = ended(Status::Failure));
    assert!(zombie.contains(&"leases"), "{zombie:?}");
    let stranger = caught(|evidence| {
        let ask = Ask::CompleteAsStranger { run_id: 2 };
        evidence.calls.push(call(7 * SECOND, 8 * SECOND, ask, ended(Status::Failure)));
    });
    assert!(stranger.contains(&"leases"), "{stranger:?}");
}

#[test]
fn a_held_call_that_is_not_woken_is_caught_unless_something_was_broken() {
    let asleep = |evidence: &mut Evidence| evidence.calls[3].answered = 20 * SECOND;
    assert_eq!(caught(asleep), ["lost wake-up"]);
    let excused = |evidence: &mut Evidence| {
        asleep(evidence);
        let what = "server 1 frozen".to_owned();
        evidence.faults.push(Fault { what, begin: 5 * SECOND, end: 6 * SECOND });
        assert!(evidence.faults[0].what.ends_with("frozen"));
    };
    assert_eq!(caught(excused), Vec::<&str>::new());
}

#[test]
fn a_row_that_is_not_the_sum_of_its_runs_and_an_event_too_few_are_caught() {
    assert_eq!(caught(|evidence| evidence.locations[0].used = 1), ["rows and events"]);
    assert_eq!(caught(|evidence| drop(evidence.events.pop())), ["rows and events"]);
}

#[test]
fn a_wait_that_shows_another_place_than_it_has_is_caught() {
    let caught = caught(|evidence| {
        evidence.calls[2].answer = Answer::Queued { run_id: 2, room: Some(room(600_000, 1)) };
    });
    assert_eq!(caught, ["linearizability"]);
}

/// A history is cut after so many calls.
const A_PIECE: i64 = 70;

#[test]
fn a_gate_that_was_closed_without_an_answer_and_late_is_closed_from_then_on() {
    let close_late = |evidence: &mut Evidence| {
        let gate = |sent, answered, is_open, op, answer| {
            call(sent * SECOND, answered * SECOND, Ask::SetGate { op, is_open }, answer)
        };
        let set = |at, op| Event { run_id: None, op: Some(op), ..event(at * SECOND, "location_set", 0) };
        admit(evidence, 3, 100_000, 60 * SECOND);
        let run = evidence.runs.last_mut().expect("a run");
        (run.status, run.end) = (Status::Success, Some(110 * SECOND));
        (evidence.locations[0].used, evidence.locations[0].running) = (0, 0);
        evidence.events.extend([set(105, 61), set(108, 60), event(110 * SECOND, "ended", 3)]);
        evidence.calls.extend([
            gate(100, 103, false, 60, Answer::Unknown),
            gate(104, 106, true, 61, Answer::GateSet),
            call(
                109 * SECOND,
                111 * SECOND,
                Ask::Complete { run_id: 3, status: Status::Success },
                ended(Status::Success),
            ),
        ]);
        let look = |second| call(second * SECOND, second * SECOND + 1, Ask::Look { run_id: 1 }, ended(Status::Success));
        evidence.calls.extend((112..112 + A_PIECE).map(look));
        let closed = Answer::Refused(Room { used: 0, ahead: 0, is_open: false });
        evidence.calls.push(call(200 * SECOND, 201 * SECOND, Ask::Register(registration(9, 100_000)), closed));
    };
    assert_eq!(caught(close_late), Vec::<&str>::new());
}
