//! Waiters that are gone: one that is silent for longer than it ever was holds up nobody.

use std::collections::HashMap;

use super::lives::{Life, Lives};
use super::{Answer, Ask, Call, Evidence, Moment, SECOND, SLACK, Verdict};

/// How late a waiter may be.
const MARGIN: Moment = 5 * SECOND;
/// How long any waiter may be silent.
const SILENCE: Moment = 60 * SECOND;
/// The longest that a call is held here.
const LONGEST_HOLD: Moment = 20 * SECOND;
/// A call that was held for so long had reached its server before its client hung up.
const SURELY_HELD: Moment = SECOND;

pub fn check(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("waiters that are gone");
    for (run_id, signs) in signs(evidence, lives) {
        if let Some(life) = lives.of_run(run_id) {
            check_one(evidence, life, &signs, &mut verdict);
        }
    }
    verdict
}

/// The registration and the heartbeats of each run that waited, in the order in which they were sent.
fn signs<'evidence>(evidence: &'evidence Evidence, lives: &Lives<'_>) -> HashMap<i64, Vec<&'evidence Call>> {
    let mut signs: HashMap<i64, Vec<&Call>> = HashMap::new();
    for call in &evidence.calls {
        let life = match &call.ask {
            Ask::Register(registration) => lives.of_op(registration.op),
            Ask::Beat { run_id } => lives.of_run(*run_id),
            _ => None,
        };
        if let Some(life) = life.filter(|life| life.run.queued.is_some()) {
            signs.entry(life.run.run_id).or_default().push(call);
        }
    }
    signs
}

/// After each sign of life, unless the next comes in time, the waiter has to be passed over, and a start that it was
/// not told of withdrawn.
fn check_one(evidence: &Evidence, life: &Life<'_>, signs: &[&Call], verdict: &mut Verdict) {
    for (index, sign) in signs.iter().enumerate() {
        let next = signs.get(index + 1).map_or(Moment::MAX, |next| next.sent);
        let due = sign.answered + patience(&signs[..=index]) + SLACK;
        let is_open = matches!(sign.answer, Answer::Queued { .. } | Answer::HungUp);
        if is_open && due < next && evidence.is_calm(sign.sent, due) && evidence.goes_on_after(due) {
            verdict.judge(!holds_up(life, sign, due), due, life.run.location, || {
                format!("a waiter that was gone still held up others: {sign:?}, {life:?}")
            });
        }
    }
}

/// For how long a waiter may be silent after these signs of life.
fn patience(signs: &[&Call]) -> Moment {
    if let Some(last) = signs.last().filter(|last| last.answer == Answer::HungUp) {
        return if last.answered - last.sent >= SURELY_HELD { MARGIN } else { SILENCE };
    }
    // The time until the first heartbeat says nothing of its rhythm.
    let beats = signs.get(1..).unwrap_or_default();
    let pauses = beats.windows(2).map(|pair| pair[1].answered - pair[0].sent);
    let held = beats.iter().any(|sign| sign.is_held).then_some(LONGEST_HOLD);
    pauses.chain(held).max().map_or(SILENCE, |longest| (longest + MARGIN).min(SILENCE))
}

/// Whether it still stands before others at this moment, or runs by a start that it was not told of.
fn holds_up(life: &Life<'_>, sign: &Call, moment: Moment) -> bool {
    let has_ended = life.run.end.is_some_and(|end| end <= moment);
    if has_ended || life.is_absent(moment) {
        return false;
    }
    match life.starts().take_while(|start| start.at <= moment).last() {
        // The answer to a call whose client hung up may have told it.
        Some(start) if life.run.fence == Some(start.fence) => {
            let may_be_told = sign.answer == Answer::HungUp && start.at <= sign.answered + SECOND;
            !may_be_told
        }
        _ => true,
    }
}
