//! How long the runs of the same test took before it.

use jiff::SignedDuration;
use url::form_urlencoded;

use crate::domain::execution::{Execution, Status};
use crate::domain::schedule::earlier::duration_of;
use crate::domain::schedule::neighbours::time_of;
use crate::http::html::layout::Layout;
use crate::present::lanes::percent;
use crate::present::time::duration_text;
use crate::present::zone::ShownTime;

/// The newest are listed at once, the others folded.
const UNFOLDED: usize = 5;
/// In pixels.
const HEIGHT: i64 = 72;
const LOWEST_BAR: i64 = 3;

pub struct Durations {
    /// Oldest first, this run last.
    pub bars: Vec<Bar>,
    pub height: i64,
    pub label: String,
    /// Its height in the picture, and what it is.
    pub median: Option<(i64, String)>,
    /// Newest first.
    pub newest: Vec<Row>,
    pub older: Vec<Row>,
    /// The query that lists all runs of the test.
    pub all: String,
}

pub struct Bar {
    pub run_id: i64,
    pub status: &'static str,
    pub is_this: bool,
    pub x: String,
    pub width: String,
    pub y: i64,
    pub height: i64,
    pub label: String,
}

pub struct Row {
    pub run_id: i64,
    pub status: &'static str,
    pub start: ShownTime,
    pub took: String,
}

impl Durations {
    pub fn new(run: &Execution, earlier: &[Execution], usual_seconds: Option<u32>, layout: &Layout) -> Self {
        let own = Some(run).filter(|_| !earlier.is_empty()).zip(length(run, layout));
        let earlier = earlier.iter().filter_map(|one| Some((one, duration_of(one)?)));
        let drawn: Vec<(&Execution, SignedDuration)> = earlier.clone().chain(own).collect();
        let usual = usual_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
        let longest = drawn.iter().map(|(_, took)| *took).max().unwrap_or_default();
        let longest = longest.as_secs().max(1);
        let height = |took: SignedDuration| (HEIGHT * took.as_secs() / longest).max(LOWEST_BAR);
        let step = 100.0 / drawn.len().max(1) as f64;
        let bar = |(place, (one, took)): (usize, &(&Execution, SignedDuration))| Bar {
            run_id: one.run_id.0,
            status: one.status.as_str(),
            is_this: one.run_id == run.run_id,
            x: percent(step.mul_add(place as f64, step / 10.0)),
            width: percent(step * 0.8),
            y: HEIGHT - height(*took),
            height: height(*took),
            label: label(one, *took, one.run_id == run.run_id, layout),
        };
        let bars: Vec<Bar> = drawn.iter().enumerate().map(bar).collect();
        let mut newest: Vec<Row> = earlier.rev().map(|(one, took)| row(one, took, layout)).collect();
        let older = newest.split_off(newest.len().min(UNFOLDED));
        Self {
            label: format!(
                "Durations of this run and of {} before it; the list below has them",
                newest.len() + older.len()
            ),
            median: usual.map(|usual| ((HEIGHT - height(usual)).max(0), duration_text(usual))),
            bars,
            height: HEIGHT,
            newest,
            older,
            all: query(run),
        }
    }
}

/// How long it took, or has taken so far.
fn length(run: &Execution, layout: &Layout) -> Option<SignedDuration> {
    let (start, end) = time_of(run, layout.now)?;
    Some(end.duration_since(start))
}

fn row(run: &Execution, took: SignedDuration, layout: &Layout) -> Row {
    Row {
        run_id: run.run_id.0,
        status: run.status.as_str(),
        start: layout.time(run.start_time),
        took: duration_text(took),
    }
}

/// A whole sentence for who cannot see the bar.
fn label(run: &Execution, took: SignedDuration, is_this: bool, layout: &Layout) -> String {
    let which = if is_this { "This run".to_owned() } else { format!("Run {}", run.run_id) };
    let (took, start) = (duration_text(took), layout.time(run.start_time).text);
    match run.status {
        Status::Running => format!("{which}, {took} so far, since {start}"),
        status => format!("{which}, {status} after {took}, started {start}"),
    }
}

fn query(run: &Execution) -> String {
    let details = &run.details;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("repo", &details.repo).append_pair("test", &details.test);
    query.append_pair("type", &details.kind).append_pair("environment", &details.environment);
    query.finish()
}
