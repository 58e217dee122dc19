//! Lost wake-ups: who waits in a call that is held is answered soon after the turn has come.

use super::lives::Lives;
use super::{Ask, Evidence, Moment, SECOND, Verdict};

/// How long an answer may take where nothing is broken.
const SOON: Moment = 10 * SECOND;

pub fn check(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("lost wake-up");
    for call in evidence.calls.iter().filter(|call| call.is_held) {
        let Ask::Beat { run_id } = call.ask else { continue };
        let Some(life) = lives.of_run(run_id) else { continue };
        let run = life.run;
        let news = if run.fence.is_some() { run.start } else { run.end.unwrap_or(Moment::MAX) };
        // Only what was sent while it waited, and was held when the news came.
        if run.queued.is_none() || news < call.sent || call.answered < news {
            continue;
        }
        if evidence.is_calm(call.sent, news + SOON) && call.attempts == 1 {
            verdict.judge(call.answered <= news + SOON, call.sent, call.location, || {
                format!("server {} answered {} us after the news: {call:?}, {run:?}", call.server, call.answered - news)
            });
        }
    }
    verdict
}
