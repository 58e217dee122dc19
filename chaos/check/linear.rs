//! Linearizability: at every location there is an order of all calls, true to real time, in which the
//! rule gives exactly the answers that the clients got. Porcupine looks for it.
//!
//! A location's history is cut where no call is under way and nobody waits who is not passed over, since it is known
//! there what runs; each piece is checked by itself.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use porcupine_rs::{CheckResult, Operation, check_operations_timeout};

use super::lives::{Life, Lives, Start};
use super::model::{Context, LocationModel, Op, Runner, State};
use super::{Answer, Ask, Call, Evidence, Moment, SECOND, Status, Verdict};

/// For how long Porcupine may look; a piece without a verdict fails.
const PATIENCE: Duration = Duration::from_mins(1);
/// Where something else is wrong already, there is hardly an order to be found.
const LITTLE_PATIENCE: Duration = Duration::from_secs(2);
/// When something that nobody was told of has come into effect at the latest, after the time that the
/// database gives it: the longest freeze, and the time-outs behind it.
const LATE: Moment = 60 * SECOND;

/// The starts and ends at a location, and when somebody knew at the latest of each, or of one after it.
struct News(Vec<(Moment, Moment)>);

impl News {
    fn new(here: &[&Life<'_>]) -> Self {
        let starts = here.iter().filter_map(|life| Some((life.run.fence.map(|_| life.run.start)?, life.seen_running?)));
        let ends = here.iter().filter_map(|life| Some((life.run.end?, life.seen_ended?)));
        let mut news: Vec<(Moment, Moment)> = starts.chain(ends).collect();
        news.sort_unstable();
        let mut known = Moment::MAX;
        for (_, seen) in news.iter_mut().rev() {
            known = known.min(*seen);
            *seen = known;
        }
        Self(news)
    }

    /// When what the database gives this time had come into effect at the latest. Everything at a location happens
    /// under one lock, so that whoever is told of a later start or end is told after it.
    fn latest(&self, time: Moment) -> Moment {
        let next = self.0.partition_point(|(at, _)| *at <= time);
        self.0.get(next).map_or(Moment::MAX, |(_, seen)| *seen).min(time + LATE)
    }
}

/// How far the database's clock may be ahead of the clients'.
const EARLY: Moment = SECOND / 5;

struct Step {
    client: u32,
    call: Moment,
    end: Moment,
    op: Op,
}

pub fn check(evidence: &Evidence, lives: &Lives<'_>, is_hopeful: bool) -> Verdict {
    let patience = if is_hopeful { PATIENCE } else { LITTLE_PATIENCE };
    let mut verdict = Verdict::new("linearizability");
    for location in evidence.places() {
        check_location(evidence, lives, location, patience, &mut verdict);
    }
    verdict
}

fn check_location(evidence: &Evidence, lives: &Lives<'_>, location: u16, patience: Duration, verdict: &mut Verdict) {
    let here: Vec<&Life<'_>> = lives.all().iter().filter(|life| life.run.location == location).collect();
    let context = Arc::new(context(evidence.capacities[usize::from(location)], &here));
    let news = News::new(&here);
    let mut steps = steps(evidence, lives, &here, &news, location);
    // What is not in the database is lost, which others say.
    steps.retain(|step| step.op.run_id().is_none_or(|run_id| context.runners.contains_key(&run_id)));
    steps.sort_by_key(|step| step.call);
    let waits: Vec<(Moment, Moment)> = here.iter().flat_map(|life| waits(life, &news)).collect();
    let silent: Vec<&Life<'_>> = here.iter().copied().filter(|life| !life.absent.is_empty()).collect();
    let (mut state, mut begin) = (State::default(), 0);
    for end in cuts(&steps, waits) {
        let piece = &steps[begin..end];
        let result = check_piece(piece, &state, &context, patience);
        verdict.judged += piece.len().saturating_sub(1);
        let (at, count) = (piece.first().map_or(0, |step| step.call), piece.len());
        verdict.judge(result == CheckResult::Ok, at, location, || {
            let until = piece.iter().map(|step| step.end).filter(|end| *end < Moment::MAX).max().unwrap_or(at);
            format!("{count} calls until {}.{:03} s have no order: {result:?}", until / SECOND, until % SECOND / 1_000)
        });
        let until = steps.get(end).map_or(Moment::MAX, |next| next.call);
        state = state_after(piece, state, &Silence::at(until, &silent), &context);
        begin = end;
    }
}

fn check_piece(piece: &[Step], state: &State, context: &Arc<Context>, patience: Duration) -> CheckResult {
    let begin = Operation::<LocationModel> {
        client_id: None,
        call_time: -2,
        return_time: -1,
        op: (Arc::clone(context), Op::Begin(state.clone())),
        metadata: None,
    };
    let operation = |step: &Step| Operation {
        client_id: Some(step.client),
        call_time: step.call,
        return_time: step.end,
        op: (Arc::clone(context), step.op.clone()),
        metadata: None,
    };
    let history: Vec<_> = std::iter::once(begin).chain(piece.iter().map(operation)).collect();
    check_operations_timeout(&history, patience)
}

/// What is known, where the history is cut, of those who were ever passed over.
struct Silence {
    /// Those who are so then.
    absent: HashSet<i64>,
    /// The fence of each one's last start so far.
    fences: HashMap<i64, Option<i64>>,
}

impl Silence {
    fn at(moment: Moment, ever_silent: &[&Life<'_>]) -> Self {
        let is_absent = |life: &Life<'_>| life.absent.iter().any(|(from, until)| *from < moment && moment <= *until);
        let last = |life: &Life<'_>| life.starts().take_while(|start| start.at - EARLY < moment).last();
        Self {
            absent: ever_silent.iter().filter(|life| is_absent(life)).map(|life| life.run.run_id).collect(),
            fences: ever_silent.iter().map(|life| (life.run.run_id, last(life).map(|start| start.fence))).collect(),
        }
    }
}

/// What runs after all of these, whose order does not matter since nobody waits who could start.
fn state_after(piece: &[Step], before: State, silence: &Silence, context: &Context) -> State {
    let State { is_closed, fence, running: mut known, queue, .. } = before;
    known.extend(queue);
    let mut gate: Option<(Moment, bool)> = None;
    for step in piece {
        match &step.op {
            Op::Start { run_id } | Op::Wait { run_id, .. } => drop(known.insert(*run_id)),
            // One that was not answered may have come into effect after the next ones.
            Op::Gate { is_open, at } if gate.is_none_or(|(last, _)| last <= *at) => gate = Some((*at, *is_open)),
            _ => {}
        }
    }
    let is_closed = gate.map_or(is_closed, |(_, is_open)| !is_open);
    let last_fence = |run_id: &i64| match silence.fences.get(run_id) {
        Some(fence) => *fence,
        None => context.runners[run_id].fences.last().copied(),
    };
    let fence = known.iter().filter_map(last_fence).max().unwrap_or_default().max(fence);
    for step in piece {
        if let Op::End { run_id } = &step.op {
            known.remove(run_id);
        }
    }
    let silent: BTreeSet<i64> = known.iter().copied().filter(|run_id| silence.absent.contains(run_id)).collect();
    let mut queue: Vec<i64> = silent.iter().copied().collect();
    queue.sort_by_key(|run_id| context.arrival(*run_id));
    known.retain(|run_id| !silent.contains(run_id) && last_fence(run_id).is_some());
    let used = known.iter().map(|run_id| context.runners[run_id].factor).sum();
    State { is_closed, used, fence, running: known, queue, silent }
}

/// Before which steps nothing is under way, and nobody waits; the last is behind all.
fn cuts(steps: &[Step], mut waits: Vec<(Moment, Moment)>) -> Vec<usize> {
    waits.sort_unstable();
    let (mut cuts, mut latest, mut next) = (Vec::new(), Moment::MIN, 0);
    for (index, step) in steps.iter().enumerate() {
        while next < waits.len() && waits[next].0 < step.call {
            latest = latest.max(waits[next].1);
            next += 1;
        }
        if index > 0 && latest < step.call {
            cuts.push(index);
        }
        latest = latest.max(step.end);
    }
    cuts.push(steps.len());
    // A piece for every few calls would be all beginning.
    let mut kept: Vec<usize> = Vec::new();
    for cut in cuts {
        if cut == steps.len() || cut - kept.last().copied().unwrap_or_default() >= SHORTEST {
            kept.push(cut);
        }
    }
    kept
}

const SHORTEST: usize = 64;

fn context(capacity: i64, here: &[&Life<'_>]) -> Context {
    let runner = |life: &Life<'_>| {
        let fences = life.starts().map(|start| start.fence).collect();
        Runner { factor: life.run.factor, priority: life.run.priority, queued: life.run.queued, fences }
    };
    let runners = here.iter().map(|life| (life.run.run_id, runner(life))).collect();
    let start = |life: &&Life<'_>| life.starts().map(|start| (start.fence, life.run.run_id)).collect::<Vec<_>>();
    let mut starts: Vec<(i64, i64)> = here.iter().flat_map(start).collect();
    starts.sort_unstable();
    Context { capacity, runners, starts }
}

/// From when to when it may have stood in the queue and not been passed over.
fn waits(life: &Life<'_>, news: &News) -> Vec<(Moment, Moment)> {
    if life.run.queued.is_none() {
        return Vec::new();
    }
    let left = [life.seen_running, life.seen_ended].into_iter().flatten().min().unwrap_or(Moment::MAX);
    let ends = life.starts().map(|start| start.at).chain(life.absent.iter().map(|(from, _)| *from)).chain(life.run.end);
    let mut ends: Vec<Moment> = ends.collect();
    ends.sort_unstable();
    let begins = life.absent.iter().filter(|(_, until)| *until < Moment::MAX).map(|(_, until)| *until);
    let wait = |(asked, begin): (Moment, Moment)| {
        let end = ends.iter().find(|end| **end >= begin);
        (asked, end.map_or(Moment::MAX, |end| news.latest(*end)).min(left))
    };
    let first = std::iter::once((life.asked(), life.run.queued.unwrap_or_default()));
    first.chain(begins.map(|begin| (begin - EARLY, begin))).map(wait).collect()
}

fn steps(evidence: &Evidence, lives: &Lives<'_>, here: &[&Life<'_>], news: &News, location: u16) -> Vec<Step> {
    let gates: HashMap<u64, Moment> = evidence.events.iter().filter_map(|event| Some((event.op?, event.at))).collect();
    let mut steps = Vec::new();
    for call in evidence.calls.iter().filter(|call| call.location == location) {
        if let Some((op, end)) = step(call, lives, &gates, news) {
            steps.push(Step { client: call.client, call: call.sent, end: end.max(call.sent), op });
        }
    }
    steps.extend(here.iter().filter_map(|life| end_by_itself(life, news)));
    steps.extend(here.iter().flat_map(|life| silence(life, news)));
    steps
}

/// What the call did, and when it had done so at the latest. Nothing is known of one without an
/// answer, unless the database tells.
fn step(call: &Call, lives: &Lives<'_>, gates: &HashMap<u64, Moment>, news: &News) -> Option<(Op, Moment)> {
    let known = |op| Some((op, call.answered));
    match (&call.ask, &call.answer) {
        (Ask::Register(registration), Answer::Refused(room)) => {
            known(Op::Refuse { factor: registration.factor, room: room.clone() })
        }
        (Ask::Register(_), Answer::Running { run_id, .. }) => {
            // Whoever goes before all who wait may start at once.
            let waited = lives.of_run(*run_id)?.run.queued.is_some();
            known(if waited { Op::Wait { run_id: *run_id, room: None } } else { Op::Start { run_id: *run_id } })
        }
        (Ask::Register(_), Answer::Queued { run_id, room }) => {
            lives.of_run(*run_id)?;
            known(Op::Wait { run_id: *run_id, room: room.clone() })
        }
        (Ask::Register(registration), Answer::Unknown) => {
            let life = lives.of_op(registration.op)?;
            let latest = news.latest(life.run.queued.unwrap_or(life.run.start));
            let seen = [life.seen_running, life.seen_ended].into_iter().flatten().min();
            let run_id = life.run.run_id;
            let op = if life.run.queued.is_some() { Op::Wait { run_id, room: None } } else { Op::Start { run_id } };
            Some((op, seen.map_or(latest, |seen| seen.min(latest))))
        }
        (Ask::SetGate { op, is_open }, Answer::GateSet) => {
            known(Op::Gate { is_open: *is_open, at: gates.get(op).copied().unwrap_or(call.answered) })
        }
        (Ask::SetGate { op, is_open }, _) => {
            let at = *gates.get(op)?;
            Some((Op::Gate { is_open: *is_open, at }, news.latest(at)))
        }
        (Ask::Complete { run_id, .. } | Ask::Cancel { run_id, .. }, Answer::Ended { .. }) => {
            known(Op::End { run_id: *run_id })
        }
        (Ask::Complete { run_id, status }, Answer::Unknown) => {
            let life = lives.of_run(*run_id)?;
            let may = life.run.status == *status && life.run.end_reason.is_none();
            unknown_end(life, may, news)
        }
        (Ask::Cancel { run_id, .. }, Answer::Unknown) => {
            let life = lives.of_run(*run_id)?;
            unknown_end(life, life.run.status == Status::Cancelled && life.run.end_reason.is_none(), news)
        }
        (Ask::Beat { run_id } | Ask::Look { run_id }, Answer::Ended { .. })
        | (
            Ask::Beat { run_id } | Ask::Complete { run_id, .. } | Ask::Cancel { run_id, .. },
            Answer::EndedOtherwise { .. },
        ) => known(Op::SeeEnded { run_id: *run_id }),
        (_, Answer::Running { run_id, .. }) | (Ask::Cancel { run_id, .. }, Answer::Stopping) => {
            let fence = if let Answer::Running { fence, .. } = call.answer { Some(fence) } else { None };
            known(Op::SeeRunning { run_id: *run_id, fence })
        }
        (_, Answer::Queued { run_id, room }) => known(Op::SeeQueued { run_id: *run_id, room: room.clone() }),
        _ => None,
    }
}

fn unknown_end(life: &Life<'_>, may: bool, news: &News) -> Option<(Op, Moment)> {
    let end = life.run.end?;
    may.then(|| (Op::End { run_id: life.run.run_id }, seen_end(life, end, news)))
}

fn seen_end(life: &Life<'_>, end: Moment, news: &News) -> Moment {
    let latest = news.latest(end);
    life.seen_ended.map_or(latest, |seen| seen.min(latest))
}

/// The end of one that was lost, or waited too long, which nobody asked for.
fn end_by_itself(life: &Life<'_>, news: &News) -> Option<Step> {
    let (run, end) = (life.run, life.run.end?);
    run.end_reason.as_ref()?;
    let seen = seen_end(life, end, news);
    // Whether that was too early is for others to say.
    let call = life.asked().max(end - SECOND).min(seen);
    Some(Step { client: u32::MAX, call, end: seen, op: Op::End { run_id: run.run_id } })
}

/// That it was passed over, that it was heard of again, and that its starts were withdrawn.
fn silence(life: &Life<'_>, news: &News) -> Vec<Step> {
    let run_id = life.run.run_id;
    let step = |at: Moment, op: Op| {
        let end = news.latest(at);
        Step { client: u32::MAX, call: life.asked().max(at - EARLY).min(end), end, op }
    };
    let withdraw = |start: &Start| step(start.until, Op::Withdraw { run_id, fence: start.fence });
    let recovered = life.absent.iter().filter(|(_, until)| *until < life.run.end.unwrap_or(Moment::MAX));
    life.withdrawn
        .iter()
        .map(withdraw)
        .chain(life.passed_over().map(|at| step(at, Op::PassOver { run_id })))
        .chain(recovered.map(|(_, until)| step(*until, Op::Recover { run_id })))
        .collect()
}
