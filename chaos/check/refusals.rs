//! False refusals: a test is refused only for a reason that may have been true meanwhile.

use std::collections::HashMap;

use super::lives::Lives;
use super::{Answer, Ask, Call, Evidence, Moment, Room, Verdict};

/// The most that may have been so at any moment of an interval.
struct Most {
    /// When it changed, and what it was from then on.
    steps: Vec<(Moment, i64)>,
    /// The largest of 2^level steps from each one on.
    largest: Vec<Vec<i64>>,
}

impl Most {
    fn new(intervals: impl Iterator<Item = (Moment, Moment, i64)>) -> Self {
        let mut changes: Vec<(Moment, i64)> =
            intervals.flat_map(|(begin, end, size)| [(begin, size), (end.saturating_add(1), -size)]).collect();
        changes.sort_unstable_by_key(|(at, size)| (*at, -size));
        let mut sum = 0;
        let steps: Vec<(Moment, i64)> = changes
            .into_iter()
            .map(|(at, size)| {
                sum += size;
                (at, sum)
            })
            .collect();
        let mut largest: Vec<Vec<i64>> = vec![steps.iter().map(|(_, sum)| *sum).collect()];
        while let Some(last) = largest.last()
            && (1 << largest.len()) <= steps.len()
        {
            let half = 1 << (largest.len() - 1);
            largest.push((0..last.len() - half).map(|index| last[index].max(last[index + half])).collect());
        }
        Self { steps, largest }
    }

    fn between(&self, begin: Moment, end: Moment) -> i64 {
        let from = self.steps.partition_point(|(at, _)| *at < begin).saturating_sub(1);
        let to = self.steps.partition_point(|(at, _)| *at <= end);
        if from >= to {
            return 0;
        }
        let level = (to - from).ilog2() as usize;
        let row = &self.largest[level];
        let most = row[from].max(row[to - (1 << level)]);
        most.max(0)
    }
}

struct Possible {
    used: Most,
    queued: Most,
    closed: Most,
}

pub fn check(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("false refusal");
    let possible: Vec<Possible> = evidence.places().map(|location| possible(evidence, lives, location)).collect();
    for call in &evidence.calls {
        let (Ask::Register(registration), Answer::Refused(room)) = (&call.ask, &call.answer) else { continue };
        let capacity = evidence.capacities[usize::from(call.location)];
        let fits = room.used + registration.factor < capacity && room.ahead == 0 && room.is_open;
        verdict.judge(!fits || registration.factor >= capacity, call.sent, call.location, || {
            format!("{} millionths were refused although they fit: {room:?}, {call:?}", registration.factor)
        });
        let wrong = impossible(&possible[usize::from(call.location)], room, call);
        verdict.judge(wrong.is_none(), call.sent, call.location, || {
            format!("refused with what cannot have been so: {wrong:?}, {room:?}, {call:?}")
        });
    }
    verdict
}

fn impossible(possible: &Possible, room: &Room, call: &Call) -> Option<String> {
    let (begin, end) = (call.sent, call.answered);
    let used = possible.used.between(begin, end);
    if room.used > used {
        return Some(format!("at most {used} millionths can have run"));
    }
    let queued = possible.queued.between(begin, end);
    if room.ahead > usize::try_from(queued).unwrap_or_default() {
        return Some(format!("at most {queued} tests can have waited"));
    }
    (!room.is_open && possible.closed.between(begin, end) == 0).then(|| "the gate was open all the time".to_owned())
}

fn possible(evidence: &Evidence, lives: &Lives<'_>, location: u16) -> Possible {
    let ended = |run_id| lives.of_run(run_id).and_then(|life| life.seen_ended).unwrap_or(Moment::MAX - 1);
    let here = || lives.all().iter().filter(|life| life.run.location == location);
    let used = here().filter(|life| life.starts().next().is_some());
    let queued = here().filter(|life| life.run.queued.is_some());
    let until = |run_id, seen: Option<Moment>| seen.map_or_else(|| ended(run_id), |seen| seen.min(ended(run_id)));
    Possible {
        used: Most::new(used.map(|life| (life.asked(), ended(life.run.run_id), life.run.factor))),
        queued: Most::new(queued.map(|life| (life.asked(), until(life.run.run_id, life.seen_running), 1))),
        closed: Most::new(closed(evidence, location).into_iter().map(|(begin, end)| (begin, end, 1))),
    }
}

/// From when a closing was sent until an opening after it was answered.
fn closed(evidence: &Evidence, location: u16) -> Vec<(Moment, Moment)> {
    let mut calls: Vec<(&Call, bool)> = Vec::new();
    for call in evidence.calls.iter().filter(|call| call.location == location) {
        if let Ask::SetGate { is_open, .. } = call.ask {
            calls.push((call, is_open));
        }
    }
    calls.sort_by_key(|(call, _)| call.sent);
    // One that was never answered may come into effect at any time.
    let opens: HashMap<Moment, Moment> = calls
        .iter()
        .filter(|(call, is_open)| *is_open && call.answer == Answer::GateSet)
        .map(|(call, _)| (call.sent, call.answered))
        .collect();
    let opened = |after: &Call| {
        let late = after.answer != Answer::GateSet;
        let next = opens.iter().filter(|(sent, _)| **sent >= after.answered).map(|(_, answered)| *answered).min();
        if late { Moment::MAX - 1 } else { next.unwrap_or(Moment::MAX - 1) }
    };
    calls.iter().filter(|(_, is_open)| !is_open).map(|(call, _)| (call.sent, opened(call))).collect()
}
