//! Linearizability: at every location there is an order of all calls, true to real time, in which the
//! rule gives exactly the answers that the clients got. Porcupine looks for it.
//!
//! A location's history is cut where no call is under way and nobody waits, since it is known there
//! what runs; each piece is checked by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use porcupine_rs::{CheckResult, Operation, check_operations_timeout};

use super::lives::{Life, Lives};
use super::model::{Context, LocationModel, Op, Runner, State};
use super::{Answer, Ask, Call, Evidence, Moment, SECOND, Status, Verdict};

/// For how long Porcupine may look; a piece without a verdict fails.
const PATIENCE: Duration = Duration::from_mins(1);
/// Where something else is wrong already, there is hardly an order to be found.
const LITTLE_PATIENCE: Duration = Duration::from_secs(2);
/// When something that nobody was told of has come into effect at the latest, after the time that the
/// database gives it: the longest freeze, and the time-outs behind it.
const LATE: Moment = 60 * SECOND;

/// The starts at a location, and when somebody knew at the latest of each, or of one after it.
struct Starts(Vec<(Moment, Moment)>);

impl Starts {
    fn new(here: &[&Life<'_>]) -> Self {
        let started = here.iter().filter(|life| life.run.fence.is_some());
        let mut starts: Vec<(Moment, Moment)> =
            started.map(|life| (life.run.start, life.seen_running.unwrap_or(Moment::MAX))).collect();
        starts.sort_unstable();
        let mut known = Moment::MAX;
        for (_, seen) in starts.iter_mut().rev() {
            known = known.min(*seen);
            *seen = known;
        }
        Self(starts)
    }

    /// When what the database gives this time had come into effect at the latest. Everything at a location happens
    /// under one lock, so that whoever is told of a later start is told after it.
    fn latest(&self, time: Moment) -> Moment {
        let next = self.0.partition_point(|(start, _)| *start <= time);
        self.0.get(next).map_or(Moment::MAX, |(_, seen)| *seen).min(time + LATE)
    }
}

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
    let runners: HashMap<i64, Runner> = here.iter().map(|life| (life.run.run_id, runner(life))).collect();
    let context = Arc::new(Context { capacity: evidence.capacities[usize::from(location)], runners });
    let mut steps = steps(evidence, lives, &here, location);
    // What is not in the database is lost, which others say.
    steps.retain(|step| step.op.run_id().is_none_or(|run_id| context.runners.contains_key(&run_id)));
    steps.sort_by_key(|step| step.call);
    let waits: Vec<(Moment, Moment)> = here.iter().filter_map(|life| waited(life)).collect();
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
        state = state_after(piece, state, &context);
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

/// What runs after all of these, whose order does not matter since nobody waits.
fn state_after(piece: &[Step], mut state: State, context: &Context) -> State {
    for step in piece {
        let started = match &step.op {
            Op::Start { run_id, .. } => Some(*run_id),
            Op::Wait { run_id, .. } => context.runners[run_id].fence.map(|_| *run_id),
            _ => None,
        };
        if let Some(run_id) = started {
            state.running.insert(run_id);
            state.fence = state.fence.max(context.runners[&run_id].fence.unwrap_or_default());
        }
        // Gates are set by one client, one after the other.
        if let Op::Gate { is_open } = step.op {
            state.is_closed = !is_open;
        }
    }
    for step in piece {
        if let Op::End { run_id } = &step.op {
            state.running.remove(run_id);
        }
    }
    state.used = state.running.iter().map(|run_id| context.runners[run_id].factor).sum();
    state
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

fn runner(life: &Life<'_>) -> Runner {
    let run = life.run;
    Runner { factor: run.factor, fence: run.fence, priority: run.priority }
}

/// From when to when it may have waited.
fn waited(life: &Life<'_>) -> Option<(Moment, Moment)> {
    life.run.queued?;
    let left = [life.seen_running, life.seen_ended].into_iter().flatten().min();
    let recorded = if life.run.fence.is_some() { Some(life.run.start) } else { life.run.end };
    Some((life.asked(), left.or(recorded.map(|time| time + LATE)).unwrap_or(Moment::MAX)))
}

fn steps(evidence: &Evidence, lives: &Lives<'_>, here: &[&Life<'_>], location: u16) -> Vec<Step> {
    let gates: HashMap<u64, Moment> = evidence.events.iter().filter_map(|event| Some((event.op?, event.at))).collect();
    let starts = Starts::new(here);
    let mut steps = Vec::new();
    for call in evidence.calls.iter().filter(|call| call.location == location) {
        if let Some((op, end)) = step(call, lives, &gates, &starts) {
            steps.push(Step { client: call.client, call: call.sent, end: end.max(call.sent), op });
        }
    }
    steps.extend(here.iter().filter_map(|life| end_by_itself(life, &starts)));
    steps
}

/// What the call did, and when it had done so at the latest. Nothing is known of one without an
/// answer, unless the database tells.
fn step(call: &Call, lives: &Lives<'_>, gates: &HashMap<u64, Moment>, starts: &Starts) -> Option<(Op, Moment)> {
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
            let latest = starts.latest(life.run.queued.unwrap_or(life.run.start));
            let seen = [life.seen_running, life.seen_ended].into_iter().flatten().min();
            let run_id = life.run.run_id;
            let op = if life.run.queued.is_some() { Op::Wait { run_id, room: None } } else { Op::Start { run_id } };
            Some((op, seen.map_or(latest, |seen| seen.min(latest))))
        }
        (Ask::SetGate { is_open, .. }, Answer::GateSet) => known(Op::Gate { is_open: *is_open }),
        (Ask::SetGate { op, is_open }, _) => Some((Op::Gate { is_open: *is_open }, starts.latest(*gates.get(op)?))),
        (Ask::Complete { run_id, .. } | Ask::Cancel { run_id, .. }, Answer::Ended { .. }) => {
            known(Op::End { run_id: *run_id })
        }
        (Ask::Complete { run_id, status }, Answer::Unknown) => {
            let life = lives.of_run(*run_id)?;
            let may = life.run.status == *status && life.run.end_reason.is_none();
            unknown_end(life, may, starts)
        }
        (Ask::Cancel { run_id, .. }, Answer::Unknown) => {
            let life = lives.of_run(*run_id)?;
            unknown_end(life, life.run.status == Status::Cancelled && life.run.end_reason.is_none(), starts)
        }
        (Ask::Beat { run_id } | Ask::Look { run_id }, Answer::Ended { .. })
        | (
            Ask::Beat { run_id } | Ask::Complete { run_id, .. } | Ask::Cancel { run_id, .. },
            Answer::EndedOtherwise { .. },
        ) => known(Op::SeeEnded { run_id: *run_id }),
        (_, Answer::Running { run_id, .. }) | (Ask::Cancel { run_id, .. }, Answer::Stopping) => {
            known(Op::SeeRunning { run_id: *run_id })
        }
        (_, Answer::Queued { run_id, room }) => known(Op::SeeQueued { run_id: *run_id, room: room.clone() }),
        _ => None,
    }
}

fn unknown_end(life: &Life<'_>, may: bool, starts: &Starts) -> Option<(Op, Moment)> {
    let end = life.run.end?;
    may.then(|| (Op::End { run_id: life.run.run_id }, seen_end(life, end, starts)))
}

fn seen_end(life: &Life<'_>, end: Moment, starts: &Starts) -> Moment {
    let latest = starts.latest(end);
    life.seen_ended.map_or(latest, |seen| seen.min(latest))
}

/// The end of one that was lost, or waited too long, which nobody asked for.
fn end_by_itself(life: &Life<'_>, starts: &Starts) -> Option<Step> {
    let (run, end) = (life.run, life.run.end?);
    run.end_reason.as_ref()?;
    let seen = seen_end(life, end, starts);
    // Whether that was too early is for others to say.
    let call = life.asked().max(end - SECOND).min(seen);
    Some(Step { client: u32::MAX, call, end: seen, op: Op::End { run_id: run.run_id } })
}
