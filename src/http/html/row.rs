//! A run as a row of a table.

use super::layout::Layout;
use crate::domain::execution::{Execution, Status};
use crate::domain::link::is_web_link;
use crate::present::execution::remark;
use crate::present::time::duration_text;
use crate::present::zone::ShownTime;

pub struct Row {
    pub run_id: i64,
    pub test: String,
    pub kind: String,
    pub repo: String,
    pub lac: String,
    pub stream: String,
    pub environment: String,
    pub triggered_by: String,
    pub status: &'static str,
    /// What the status alone does not say: a missed heartbeat, a request to stop, why it ended.
    pub remark: Option<String>,
    /// None for one that has not started, or never did.
    pub start: Option<ShownTime>,
    pub end: Option<ShownTime>,
    /// How long it has run or ran, as far as that is known.
    pub duration: Option<String>,
    pub factor: Option<String>,
    pub location: Option<String>,
    pub dashboard_url: Option<String>,
}

impl Row {
    pub fn new(execution: &Execution, layout: &Layout) -> Self {
        let details = &execution.details;
        let has_started = execution.status != Status::Queued && execution.has_started();
        let until = match execution.status {
            Status::Ended(_) => execution.end_time,
            Status::Queued | Status::Running => Some(layout.now),
        };
        let ran = until.filter(|_| has_started).map(|until| until.duration_since(execution.start_time));
        Self {
            run_id: execution.run_id.0,
            test: details.test.clone(),
            kind: details.kind.clone(),
            repo: details.repo.clone(),
            lac: details.lac.clone(),
            stream: details.stream.clone(),
            environment: details.environment.clone(),
            triggered_by: details.triggered_by.clone(),
            status: execution.status.as_str(),
            remark: remark(execution, layout.now),
            start: has_started.then(|| layout.time(execution.start_time)),
            end: execution.end_time.map(|end| layout.time(end)),
            duration: ran.map(duration_text),
            factor: execution.factor_text(),
            location: details.location.as_ref().map(ToString::to_string),
            // An adopted database may hold links that this version would have refused.
            dashboard_url: details.dashboard_url.clone().filter(|link| is_web_link(link)),
        }
    }
}
