//! Leases: none is ended early, and what was lost is believed nothing any more.

use super::capacity::surely_leased_until;
use super::lives::Lives;
use super::{Answer, Ask, Evidence, Moment, SECOND, SLACK, Verdict};

/// Between the database's clock and that of the clients.
const TOLERANCE: Moment = SECOND / 5;

pub fn check(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("leases");
    for life in lives.all() {
        let run = life.run;
        if let (true, Some(end), Some(deadline)) = (life.is_lost(), run.end, surely_leased_until(life)) {
            verdict.judge(end + TOLERANCE >= deadline, end, run.location, || {
                format!("it was given up {} us early: {run:?}, heard {:?}", deadline - end, life.heard)
            });
        }
        let Some(lease) = run.lease_seconds.filter(|lease| *lease > 0 && run.fence.is_some()) else { continue };
        // Nobody knows of a later sign of life than this.
        let Some(last) = life.last_sign.map(|sign| sign.max(run.start)) else { continue };
        let due = last + 2 * Moment::from(lease) * SECOND;
        let end = run.end.unwrap_or(Moment::MAX);
        if evidence.is_calm(last, due + SLACK) && evidence.goes_on_after(due + SLACK) {
            verdict.judge(end <= due + SLACK, due, run.location, || format!("it was never given up: {run:?}"));
        }
    }
    believed(evidence, lives, &mut verdict);
    verdict
}

/// A heartbeat makes the lease whole, and one that comes after the loss does nothing.
fn believed(evidence: &Evidence, lives: &Lives<'_>, verdict: &mut Verdict) {
    for call in &evidence.calls {
        let (Ask::Beat { run_id } | Ask::Complete { run_id, .. } | Ask::CompleteAsStranger { run_id }) = call.ask
        else {
            continue;
        };
        let Some(life) = lives.of_run(run_id) else { continue };
        if let (Ask::CompleteAsStranger { .. }, Answer::Ended { .. } | Answer::Running { .. }) =
            (&call.ask, &call.answer)
        {
            verdict.judge(false, call.sent, call.location, || format!("a stranger was believed: {call:?}"));
        }
        let (Some(end), true) = (life.run.end, life.is_lost()) else { continue };
        let claims =
            matches!(call.answer, Answer::Running { .. } | Answer::Ended { reason: None, .. } | Answer::Stopping);
        let is_late = call.sent > end + TOLERANCE;
        verdict.judge(!(claims && is_late), call.sent, call.location, || {
            format!("a lost run was believed: {call:?}, {:?}", life.run)
        });
    }
    for call in &evidence.calls {
        let (Ask::Beat { run_id }, Answer::Running { lease_expires_at: Some(expires_at), .. }) =
            (&call.ask, &call.answer)
        else {
            continue;
        };
        let Some(lease) = lives.of_run(*run_id).and_then(|life| life.run.lease_seconds) else { continue };
        // One that was held may have beaten at its begin only.
        let due = call.sent + Moment::from(lease) * SECOND;
        verdict.judge(expires_at + TOLERANCE >= due, call.sent, call.location, || {
            format!("a heartbeat did not make the lease whole, {} us are missing: {call:?}", due - expires_at)
        });
        let latest = call.answered + Moment::from(lease) * SECOND;
        verdict.judge(*expires_at <= latest + TOLERANCE, call.sent, call.location, || {
            format!("a lease ends {} us late: {call:?}", expires_at - latest)
        });
    }
}
