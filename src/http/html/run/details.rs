//! Everything else that is known of it.

use jiff::{SignedDuration, Timestamp};

use crate::domain::execution::{Execution, Status};
use crate::http::html::layout::Layout;
use crate::present::time::duration_text;
use crate::present::zone::ShownTime;

pub struct Details(pub Vec<Detail>);

pub struct Detail {
    pub name: &'static str,
    pub text: String,
    /// Shown in place of the text.
    pub time: Option<ShownTime>,
    pub is_code: bool,
}

impl Detail {
    fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), time: None, is_code: false }
    }

    fn number(name: &'static str, number: i64) -> Self {
        Self { is_code: true, ..Self::text(name, number.to_string()) }
    }
}

impl Details {
    pub fn new(run: &Execution, layout: &Layout) -> Self {
        let details = &run.details;
        let has_started = run.status != Status::Queued && run.has_started();
        let time = |name, time: Option<Timestamp>| {
            let shown = time.map(|time| layout.zone.time_to_second(time, layout.now))?;
            Some(Detail { time: Some(shown), ..Detail::text(name, "") })
        };
        let expected = run.expected_seconds.map(|seconds| {
            let expected = duration_text(SignedDuration::from_secs(seconds.into()));
            Detail::text("Expected", format!("{expected}, when it was registered"))
        });
        let all = [
            Some(Detail::text("Repo", &details.repo)),
            Some(Detail::text("Stream", &details.stream)),
            Some(Detail::text("Type", &details.kind)),
            Some(Detail::text("Environment", &details.environment)),
            Some(Detail::text("LAC", &details.lac)).filter(|_| !details.lac.is_empty()),
            Some(Detail::text("Triggered by", &details.triggered_by)),
            Some(Detail::text("Priority", run.priority.get().to_string())),
            time("Registered", run.place.as_ref().map(|place| place.queued_at)),
            time("Started", Some(run.start_time).filter(|_| has_started)),
            time("Ended", run.end_time),
            expected,
            Some(Detail::text("Lease", lease(run))),
            Some(Detail::number("Run id", run.run_id.0)),
            Some(Detail { is_code: true, ..Detail::text("Id", run.id.to_string()) }),
            run.fence.map(|fence| Detail::number("Fence", fence)),
            Some(Detail::number("Version", run.version)),
        ];
        Self(all.into_iter().flatten().collect())
    }
}

fn lease(run: &Execution) -> String {
    match (run.lease.as_ref().map(|lease| lease.seconds), run.status) {
        (None | Some(0), Status::Ended(_)) => "none".to_owned(),
        (None | Some(0), _) => "none; it holds its share until somebody ends it".to_owned(),
        (Some(seconds), _) => format!("a heartbeat at least every {seconds} s"),
    }
}
