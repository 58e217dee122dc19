//! A location's row is the sum of what runs and waits there, and events tell the whole story.

use std::collections::HashMap;

use super::lives::Lives;
use super::{Evidence, Execution, Status, Verdict};

pub fn check(evidence: &Evidence, lives: &Lives<'_>) -> Verdict {
    let mut verdict = Verdict::new("rows and events");
    let end = evidence.calls.iter().map(|call| call.answered).max().unwrap_or_default();
    for location in &evidence.locations {
        let here = |status| {
            let is = move |run: &&Execution| run.location == location.index && run.status == status;
            evidence.runs.iter().filter(is)
        };
        let used: i64 = here(Status::Running).map(|run| run.factor).sum();
        let running = here(Status::Running).count() as i64;
        let waiting = here(Status::Queued).count() as i64;
        let leased = here(Status::Running).filter(|run| run.lease_seconds.is_some()).count() as i64;
        let saved = (location.used, location.running, location.waiting, location.leased);
        verdict.judge(saved == (used, running, waiting, leased), end, location.index, || {
            format!(
                "its row says (used, running, waiting, leased) {saved:?}, its runs {:?}",
                (used, running, waiting, leased)
            )
        });
    }
    let mut counts: HashMap<(i64, &str), usize> = HashMap::new();
    for event in &evidence.events {
        if let Some(run_id) = event.run_id {
            *counts.entry((run_id, event.what.as_str())).or_default() += 1;
        }
    }
    for life in lives.all() {
        let run = life.run;
        let expected = [
            ("queued", usize::from(run.queued.is_some())),
            ("started", life.starts().count()),
            ("start_withdrawn", life.withdrawn.len()),
            ("ended", usize::from(run.status.has_ended())),
        ];
        for (kind, expected) in expected {
            let found = counts.get(&(run.run_id, kind)).copied().unwrap_or_default();
            verdict.judge(found == expected, run.start, run.location, || format!("{found} events {kind} of {run:?}"));
        }
    }
    verdict
}
