//! Lost acknowledgements: whatever was answered is in the database, and nothing else is.

use std::collections::{HashMap, HashSet};

use super::lives::{Life, Lives};
use super::{Answer, Ask, Call, Evidence, Registration, Status, Verdict};

const NAME: &str = "lost acknowledgement";

pub fn check(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new(NAME);
    let mut asked: HashMap<u64, &Call> = HashMap::new();
    let gates: HashSet<u64> = evidence.events.iter().filter_map(|event| event.op).collect();
    for call in &evidence.calls {
        if let Answer::Unexpected(text) = &call.answer {
            verdict.judge(false, call.sent, call.location, || format!("answered with {text}: {call:?}"));
        }
        match &call.ask {
            Ask::Register(registration) => {
                asked.insert(registration.op, call);
                registered(call, registration, lives, &mut verdict);
            }
            Ask::SetGate { op, .. } if call.answer == Answer::GateSet => {
                let is_there = gates.contains(op);
                verdict.judge(is_there, call.sent, call.location, || {
                    format!("a gate was set and nothing says so: {call:?}")
                });
            }
            Ask::Complete { run_id, .. } | Ask::Cancel { run_id, .. } | Ask::Beat { run_id } | Ask::Look { run_id } => {
                told(call, lives.of_run(*run_id), &mut verdict);
            }
            _ => {}
        }
    }
    for life in lives.all() {
        let run = life.run;
        let is_asked = asked.get(&run.op).is_some_and(|call| call.location == run.location);
        verdict.judge(is_asked, run.start, run.location, || {
            format!("nobody asked for run {} of op {}", run.run_id, run.op)
        });
        ends_only_if_asked(life, &mut verdict);
    }
    verdict
}

fn registered(call: &Call, registration: &Registration, lives: &Lives<'_>, verdict: &mut Verdict) {
    let saved = lives.of_op(registration.op);
    match &call.answer {
        Answer::Running { run_id, .. } | Answer::Queued { run_id, .. } => {
            let is_right = saved.is_some_and(|life| {
                life.run.run_id == *run_id
                    && life.run.factor == registration.factor
                    && is_leased_as_asked(life, registration)
                    && life.run.location == call.location
            });
            verdict.judge(is_right, call.sent, call.location, || {
                format!(
                    "run {run_id} was acknowledged, and the database has {:?}: {call:?}",
                    saved.map(|life| life.run)
                )
            });
            if let (Answer::Running { fence, .. }, Some(life)) = (&call.answer, saved) {
                verdict.judge(life.run.fence == Some(*fence), call.sent, call.location, || {
                    format!("run {run_id} was told fence {fence}, and the database has {:?}", life.run.fence)
                });
            }
        }
        Answer::Refused(_) | Answer::Unavailable => {
            verdict.judge(saved.is_none(), call.sent, call.location, || {
                format!("a test was not taken on, and the database has {:?}: {call:?}", saved.map(|life| life.run))
            });
        }
        _ => {}
    }
}

/// A lease that is only for the queue is gone once the start was told.
fn is_leased_as_asked(life: &Life<'_>, registration: &Registration) -> bool {
    let lease = life.run.lease_seconds;
    let is_over = registration.lease_seconds == Some(0) && lease.is_none();
    lease == registration.lease_seconds || (is_over && life.run.fence.is_some())
}

/// What was said of a run must be what the database says, or what it said before it ended.
fn told(call: &Call, life: Option<&Life<'_>>, verdict: &mut Verdict) {
    let Some(life) = life else {
        let says_something =
            !matches!(call.answer, Answer::Unknown | Answer::HungUp | Answer::Unavailable | Answer::NotFound);
        verdict.judge(!says_something, call.sent, call.location, || format!("it is not in the database: {call:?}"));
        return;
    };
    let run = life.run;
    let is_right = match &call.answer {
        Answer::Ended { status, reason } | Answer::EndedOtherwise { status, reason } => {
            run.status == *status && run.end_reason == *reason
        }
        // Whoever only looks may see a start that is withdrawn; one that was told is the last.
        Answer::Running { fence, .. } if matches!(call.ask, Ask::Look { .. }) => {
            life.starts().any(|start| start.fence == *fence)
        }
        Answer::Running { fence, .. } => run.fence == Some(*fence),
        Answer::NotFound | Answer::WrongToken | Answer::NotStarted => false,
        _ => true,
    };
    verdict.judge(is_right, call.sent, call.location, || format!("the database has {run:?}: {call:?}"));
    if let (Ask::Complete { status, .. }, Answer::Ended { .. }) = (&call.ask, &call.answer) {
        verdict.judge(run.status == *status, call.sent, call.location, || {
            format!("its end as {status:?} was acknowledged, and the database has {run:?}")
        });
    }
}

fn ends_only_if_asked(life: &Life<'_>, verdict: &mut Verdict) {
    let run = life.run;
    let by_itself = run.end_reason.is_some();
    let may = !run.status.has_ended() || by_itself || life.end_sent.is_some();
    verdict.judge(may, run.start, run.location, || format!("nobody ended {run:?}"));
    let fits = match run.end_reason.as_deref() {
        None => true,
        Some("lost") => run.status == Status::Failure && run.lease_seconds.is_some() && run.fence.is_some(),
        Some("wait_timeout" | "not_heard") => run.status == Status::Cancelled && run.fence.is_none(),
        Some(_) => false,
    };
    verdict.judge(fits, run.start, run.location, || format!("it cannot have ended so: {run:?}"));
}
