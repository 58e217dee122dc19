//! A run in the table of those that run.

use crate::domain::execution::Execution;
use crate::domain::link::is_web_link;
use crate::domain::schedule::board::BoardRun;
use crate::http::html::layout::Layout;
use crate::present::time::duration_text;
use crate::present::zone::ShownTime;

pub struct RunRow {
    pub run_id: i64,
    pub test: String,
    pub repo: String,
    pub stream: String,
    pub location: Option<String>,
    pub factor: Option<String>,
    pub triggered_by: String,
    pub since: ShownTime,
    pub elapsed: String,
    pub progress: Option<Progress>,
    pub expected_end: Option<ShownTime>,
    /// Since when no heartbeat has come, if one was missed.
    pub silent_for: Option<String>,
    /// Whether it runs so long that somebody should look after it.
    pub is_overdue: bool,
    /// Why it was asked to stop, if it was, and by whom.
    pub stop: Option<String>,
    pub dashboard_url: Option<String>,
}

/// How far it is, by how long such a test usually takes.
pub struct Progress {
    pub seconds: i64,
    pub expected_seconds: u32,
    pub expected: String,
    /// By how much it has run longer, if it has.
    pub over: Option<String>,
}

impl RunRow {
    pub fn new(run: &BoardRun, layout: &Layout) -> Self {
        let (execution, details) = (&run.execution, &run.execution.details);
        let elapsed = layout.now.duration_since(execution.start_time);
        let silent_for = execution.heard_at().filter(|_| execution.is_suspect());
        Self {
            run_id: execution.run_id.0,
            test: details.test.clone(),
            repo: details.repo.clone(),
            stream: details.stream.clone(),
            location: details.location.as_ref().map(ToString::to_string),
            factor: execution.factor_text(),
            triggered_by: details.triggered_by.clone(),
            since: layout.time(execution.start_time),
            elapsed: duration_text(elapsed),
            progress: Progress::of(execution, elapsed, execution.over(layout.now)),
            expected_end: run.expected_end.map(|end| layout.time(end)),
            silent_for: silent_for.map(|heard| duration_text(layout.now.duration_since(heard))),
            is_overdue: execution.is_overdue(layout.now),
            stop: execution.stop.as_ref().map(|stop| match &stop.by {
                Some(by) => format!("asked to stop by {by}: {}", stop.reason),
                None => format!("asked to stop: {}", stop.reason),
            }),
            dashboard_url: details.dashboard_url.clone().filter(|link| is_web_link(link)),
        }
    }
}

impl RunRow {
    /// By how much it has run longer than expected, if it has.
    pub fn over(&self) -> Option<&str> {
        self.progress.as_ref()?.over.as_deref()
    }
}

impl Progress {
    fn of(execution: &Execution, elapsed: jiff::SignedDuration, over: Option<jiff::SignedDuration>) -> Option<Self> {
        let expected_seconds = execution.expected_seconds?;
        let expected = jiff::SignedDuration::from_secs(expected_seconds.into());
        Some(Self {
            seconds: elapsed.as_secs().clamp(0, expected_seconds.into()),
            expected_seconds,
            expected: duration_text(expected),
            over: over.map(duration_text),
        })
    }
}
