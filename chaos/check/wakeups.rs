//! Lost wake-ups: who waits in a call that is held is answered soon after the turn has come.

use super::lives::{Life, Lives};
use super::{Ask, Evidence, Moment, SECOND, Verdict};

/// How long an answer may take where nothing is broken.
const SOON: Moment = 10 * SECOND;

pub fn check(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("lost wake-up");
    for call in evidence.calls.iter().filter(|call| call.is_held) {
        let Ask::Beat { run_id } = call.ask else { continue };
        let Some(life) = lives.of_run(run_id) else { continue };
        let run = life.run;
        let Some(news) = news(life, call.sent) else { continue };
        // Only what was sent while it waited, and was held when the news came.
        if run.queued.is_none() || call.answered < news {
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

/// When the first news came for whoever waited at that moment: a start, or the end of the waiting.
fn news(life: &Life<'_>, sent: Moment) -> Option<Moment> {
    let end = life.run.end.filter(|end| life.run.fence.is_none() && *end >= sent);
    life.starts().map(|start| start.at).find(|at| *at >= sent).or(end)
}
