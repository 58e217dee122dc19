//! The order of the queue: nobody starts before somebody who waited there first.

use std::cmp::Reverse;

use super::{Evidence, Execution, Moment, SECOND, Verdict};

/// After so long a waiter's priority is raised, which no test here waits for.
const STEP: Moment = 600 * SECOND;

pub fn check(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::new("order of the queue");
    for location in evidence.places() {
        let here = || evidence.runs.iter().filter(|run| run.location == location);
        let mut started: Vec<&Execution> = here().filter(|run| run.fence.is_some()).collect();
        started.sort_by_key(|run| run.fence);
        let mut waiters: Vec<&Execution> = here().filter(|run| run.queued.is_some()).collect();
        waiters.sort_by_key(|run| run.queued);
        check_one(&started, &waiters, &mut verdict);
        let stuck = here().filter(|run| run.status == super::Status::Queued);
        for run in stuck {
            let location = evidence.locations.iter().find(|one| one.index == run.location);
            let could =
                location.is_some_and(|one| one.is_open && one.used + run.factor < one.capacity && one.waiting == 1);
            verdict.judge(!could, run.start, run.location, || format!("it still waits, and could start: {run:?}"));
        }
    }
    verdict
}

/// Goes through the starts in their order, with those who wait at each.
fn check_one(started: &[&Execution], waiters: &[&Execution], verdict: &mut Verdict) {
    let (mut waiting, mut next): (Vec<&Execution>, usize) = (Vec::new(), 0);
    for run in started {
        while next < waiters.len() && waiters[next].queued.is_some_and(|queued| queued < run.start) {
            waiting.push(waiters[next]);
            next += 1;
        }
        waiting.retain(|other| waits_beyond(other, run));
        let overtaken = waiting.iter().find(|other| goes_first(other, run));
        verdict.judge(overtaken.is_none(), run.start, run.location, || {
            format!("{run:?} started before {:?}", overtaken.expect("there is one"))
        });
    }
}

/// Whether it still waited when the other had started, for certain.
fn waits_beyond(waiter: &Execution, started: &Execution) -> bool {
    match waiter.fence {
        Some(fence) => Some(fence) > started.fence,
        None => waiter.end.is_none_or(|end| end > started.start),
    }
}

/// Whether the one who waits came before the other, whose start is later than its arrival.
fn goes_first(waiter: &Execution, started: &Execution) -> bool {
    let Some(arrival) = waiter.queued else { return false };
    if started.start - arrival > STEP {
        return false;
    }
    match started.queued {
        // It started at once although somebody waited.
        None => true,
        Some(queued) => {
            let rank = |priority: u8, queued: Moment| (Reverse(priority), queued);
            rank(waiter.priority, arrival) < rank(started.priority, queued)
        }
    }
}
