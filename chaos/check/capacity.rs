//! Over-admission: at no instant do the factors that run at a location reach its capacity.

use super::lives::{Life, Lives};
use super::{Evidence, Execution, Moment, SECOND, Verdict};

/// By the clients' own clock: a test runs for certain from the answer that tells it so until a call is
/// sent that may end it, or until its lease may have run out.
pub fn as_clients_saw_it(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("over-admission, as clients saw it");
    let intervals = lives.all().iter().filter_map(|life| {
        let begin = life.told?;
        let end = [life.end_sent, surely_leased_until(life)].into_iter().flatten().min().unwrap_or(Moment::MAX);
        Some(Interval { location: life.run.location, begin, end, factor: life.run.factor, run_id: life.run.run_id })
    });
    sweep(evidence, intervals.collect(), &mut verdict);
    verdict
}

/// By the times that the registry itself recorded.
/// A start that was withdrawn counts until then.
pub fn as_recorded(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("over-admission, as recorded");
    let intervals = lives.all().iter().flat_map(|life| {
        let Execution { location, factor, run_id, .. } = *life.run;
        life.starts().map(move |start| Interval { location, begin: start.at, end: start.until, factor, run_id })
    });
    sweep(evidence, intervals.collect(), &mut verdict);
    verdict
}

/// A run is given up after two leases without a beat, and a beat counts when it was sent, at the
/// earliest.
pub fn surely_leased_until(life: &Life<'_>) -> Option<Moment> {
    let lease = Moment::from(life.run.lease_seconds?) * SECOND;
    life.heard.map(|heard| heard + 2 * lease)
}

struct Interval {
    location: u16,
    begin: Moment,
    end: Moment,
    factor: i64,
    run_id: i64,
}

/// An interval includes its begin and excludes its end, so at one instant ends come first.
fn sweep(evidence: &Evidence, intervals: Vec<Interval>, verdict: &mut Verdict) {
    let mut changes = Vec::with_capacity(intervals.len() * 2);
    for (index, interval) in intervals.iter().enumerate().filter(|(_, interval)| interval.begin < interval.end) {
        changes.push((interval.location, interval.begin, true, index));
        changes.push((interval.location, interval.end, false, index));
    }
    changes.sort_unstable();
    let (mut here, mut sum, mut running) = (None, 0, Vec::new());
    for (location, at, begins, index) in changes {
        if here != Some(location) {
            (here, sum, running) = (Some(location), 0, Vec::new());
        }
        let Interval { factor, run_id, .. } = intervals[index];
        if begins {
            sum += factor;
            running.push(run_id);
            let capacity = evidence.capacities[usize::from(location)];
            verdict.judge(sum < capacity || factor == 0, at, location, || {
                format!("{sum} of {capacity} millionths ran at once when run {run_id} started: {running:?}")
            });
        } else {
            sum -= factor;
            running.retain(|other| *other != run_id);
        }
    }
}
