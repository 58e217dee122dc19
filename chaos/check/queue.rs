//! The order of the queue: nobody starts before somebody who waited there first.

use std::cmp::Reverse;

use super::lives::{Life, Lives, Start};
use super::{Evidence, Moment, SECOND, Status, Verdict};

/// After so long a waiter's priority is raised, which no test here waits for.
const STEP: Moment = 600 * SECOND;

pub fn check(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("order of the queue");
    for location in evidence.places() {
        let here = || lives.all().iter().filter(|life| life.run.location == location);
        let mut started: Vec<(Start, &Life<'_>)> =
            here().flat_map(|life| life.starts().map(move |start| (start, life))).collect();
        started.sort_by_key(|(start, _)| start.fence);
        let mut waiters: Vec<&Life<'_>> = here().filter(|life| life.run.queued.is_some()).collect();
        waiters.sort_by_key(|life| life.run.queued);
        check_one(&started, &waiters, &mut verdict);
        let stuck = here().filter(|life| life.run.status == Status::Queued && !life.is_absent(Moment::MAX));
        for run in stuck.map(|life| life.run) {
            let location = evidence.locations.iter().find(|one| one.index == run.location);
            let could =
                location.is_some_and(|one| one.is_open && one.used + run.factor < one.capacity && one.waiting == 1);
            verdict.judge(!could, run.start, run.location, || format!("it still waits, and could start: {run:?}"));
        }
    }
    verdict
}

/// Goes through the starts in their order, with those who wait at each.
fn check_one(started: &[(Start, &Life<'_>)], waiters: &[&Life<'_>], verdict: &mut Verdict) {
    let (mut waiting, mut next): (Vec<&Life<'_>>, usize) = (Vec::new(), 0);
    for (start, life) in started {
        while next < waiters.len() && waiters[next].run.queued.is_some_and(|queued| queued < start.at) {
            waiting.push(waiters[next]);
            next += 1;
        }
        waiting.retain(|other| may_wait_after(other, start));
        let overtaken = waiting.iter().find(|other| waits_at(other, start) && goes_first(other, start, life));
        verdict.judge(overtaken.is_none(), start.at, life.run.location, || {
            format!("{:?} started before {:?}", life.run, overtaken.expect("there is one"))
        });
    }
}

/// Whether it had neither ended nor started for good when the other started.
fn may_wait_after(waiter: &Life<'_>, other: &Start) -> bool {
    match waiter.run.fence {
        Some(fence) => fence > other.fence,
        None => waiter.run.end.is_none_or(|end| end > other.at),
    }
}

/// Whether it stood in the queue when the other started, for certain: neither passed over nor started.
fn waits_at(waiter: &Life<'_>, other: &Start) -> bool {
    let runs = waiter.starts().any(|start| start.fence <= other.fence && start.until >= other.at);
    !runs && !waiter.is_absent(other.at)
}

/// Whether the one who waits came before the other, whose start is later than its arrival.
fn goes_first(waiter: &Life<'_>, start: &Start, started: &Life<'_>) -> bool {
    let Some(arrival) = waiter.run.queued else { return false };
    if start.at - arrival > STEP {
        return false;
    }
    match started.run.queued {
        // It started at once although somebody waited.
        None => true,
        Some(queued) => {
            let rank = |priority: u8, queued: Moment| (Reverse(priority), queued);
            rank(waiter.run.priority, arrival) < rank(started.run.priority, queued)
        }
    }
}
