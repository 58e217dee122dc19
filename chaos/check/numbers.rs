//! run_ids and fences: each is given once, and grows.

use std::collections::HashSet;

use super::lives::{Life, Lives};
use super::{Answer, Ask, Evidence, Moment, Verdict};

pub fn check(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("run_ids and fences");
    told_once(evidence, lives, &mut verdict);
    saved_once(evidence, lives, &mut verdict);
    grow(lives.all().iter().collect(), "run_id", |life| Some((life.run.run_id, life.run.run_id)), &mut verdict);
    for location in evidence.places() {
        let here: Vec<&Life<'_>> = lives.all().iter().filter(|life| life.run.location == location).collect();
        time_goes_on(&here, location, &mut verdict);
        grow(here, "fence", first_and_last_fence, &mut verdict);
    }
    verdict
}

/// No two registrations are told the same number.
fn told_once(evidence: &Evidence, lives: &Lives<'_>, verdict: &mut Verdict) {
    let (mut run_ids, mut fences) = (HashSet::new(), HashSet::new());
    for call in &evidence.calls {
        let Ask::Register(registration) = &call.ask else { continue };
        let (run_id, fence) = match call.answer {
            Answer::Running { run_id, fence, .. } => (run_id, Some(fence)),
            Answer::Queued { run_id, .. } => (run_id, None),
            _ => continue,
        };
        let is_new = run_ids.insert(run_id) && fence.is_none_or(|fence| fences.insert((call.location, fence)));
        verdict.judge(is_new, call.sent, call.location, || format!("a number was given twice: {call:?}"));
        let is_one = lives.of_op(registration.op).is_none_or(|life| life.run.run_id == run_id);
        verdict.judge(is_one, call.sent, call.location, || format!("one request became two runs: {call:?}"));
    }
}

/// A start that is withdrawn has a fence as well, which nobody is given after it.
fn first_and_last_fence(life: &Life<'_>) -> Option<(i64, i64)> {
    let first = life.starts().next()?;
    Some((first.fence, life.run.fence.unwrap_or(first.fence)))
}

fn saved_once(evidence: &Evidence, lives: &Lives<'_>, verdict: &mut Verdict) {
    let (mut run_ids, mut fences, mut ops) = (HashSet::new(), HashSet::new(), HashSet::new());
    for life in lives.all() {
        let mut starts = life.starts();
        let is_new = starts.all(|start| fences.insert((life.run.location, start.fence)));
        verdict.judge(is_new, life.run.start, life.run.location, || format!("a fence is there twice: {life:?}"));
    }
    for run in &evidence.runs {
        let is_new = run_ids.insert(run.run_id);
        verdict.judge(is_new, run.start, run.location, || format!("a number is there twice: {run:?}"));
        verdict.judge(ops.insert(run.op), run.start, run.location, || format!("one request became two runs: {run:?}"));
    }
}

/// Whatever was asked for after another was answered has the larger number: even its first one is larger than the
/// other's last.
fn grow(
    mut lives: Vec<&Life<'_>>,
    what: &str,
    numbers: impl Fn(&Life<'_>) -> Option<(i64, i64)>,
    verdict: &mut Verdict,
) {
    // A run is known from the first answer that names it.
    let known = |life: &Life<'_>| {
        let register = life.register?;
        match (&register.answer, what) {
            (Answer::Running { .. }, _) | (Answer::Queued { .. }, "run_id") => Some(register.answered),
            _ => life.seen_running,
        }
    };
    let mut answered: Vec<(Moment, i64)> =
        lives.iter().filter_map(|life| Some((known(life)?, numbers(life)?.1))).collect();
    answered.sort_unstable();
    lives.retain(|life| life.register.is_some());
    lives.sort_by_key(|life| life.asked());
    let (mut largest, mut next) = (i64::MIN, 0);
    for life in lives {
        while next < answered.len() && answered[next].0 < life.asked() {
            largest = largest.max(answered[next].1);
            next += 1;
        }
        let Some((number, _)) = numbers(life) else { continue };
        verdict.judge(number > largest, life.asked(), life.run.location, || {
            format!("{what} {number} was given after {largest}: {:?}", life.run)
        });
    }
}

/// At one location the fences are in the order of the starts.
fn time_goes_on(here: &[&Life<'_>], location: u16, verdict: &mut Verdict) {
    let starts = here.iter().flat_map(|life| life.starts().map(|start| (start.fence, start.at, life.run.run_id)));
    let mut starts: Vec<_> = starts.collect();
    starts.sort_unstable();
    for pair in starts.windows(2) {
        let [(_, before, first), (_, after, second)] = pair else { continue };
        verdict.judge(before <= after, *after, location, || {
            format!("run {second} started after run {first}, and {} us earlier", before - after)
        });
    }
}
