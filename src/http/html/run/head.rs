//! How it stands, in a line or two, with what can be done about it.

use jiff::SignedDuration;

use crate::domain::execution::{Execution, Status};
use crate::domain::link::is_web_link;
use crate::domain::schedule::earlier::{duration_of, percent_longer};
use crate::http::html::layout::Layout;
use crate::present::prose::{Piece, pieces};
use crate::present::run::{Outlook, comparison, queued_at, remarks};
use crate::present::time::duration_text;
use crate::present::zone::ShownTime;

pub struct Head {
    pub test: String,
    pub status: &'static str,
    pub remarks: Vec<Remark>,
    pub dashboard_url: Option<String>,
    /// What the link is called that leads to the form which ends it; nothing once it has ended.
    pub stop: Option<&'static str>,
    /// `Runs`, `Ran`, `Waits` or `Waited`.
    pub verb: &'static str,
    /// For how long it does or did.
    pub duration: Option<String>,
    /// Whether it runs or ran, and does or did not only wait.
    pub has_started: bool,
    pub location: Option<String>,
    pub factor: Option<String>,
    pub capacity: Option<String>,
    pub triggered_by: String,
    /// When it started, or began to wait.
    pub begin: ShownTime,
    pub end: Option<ShownTime>,
    /// How long it waited before it started.
    pub waited: Option<String>,
    pub expected_end: Option<ShownTime>,
    pub comparison: Option<String>,
    pub position: Option<usize>,
    pub estimated_start: Option<ShownTime>,
    pub gives_up: Option<ShownTime>,
    pub progress: Option<Progress>,
}

/// Something that a person should know of it.
pub struct Remark {
    pub kind: &'static str,
    pub icon: &'static str,
    pub word: &'static str,
    pub sentence: Vec<Piece>,
}

/// How much of the expected time has passed.
pub struct Progress {
    pub seconds: i64,
    pub expected_seconds: i64,
    pub is_late: bool,
    pub text: String,
}

impl Head {
    pub fn new(
        run: &Execution,
        outlook: Outlook,
        capacity: Option<String>,
        usual_seconds: Option<u32>,
        layout: &Layout,
    ) -> Self {
        let (details, now) = (&run.details, layout.now);
        let is_queued = run.status == Status::Queued;
        let has_started = !is_queued && run.has_started();
        let begin = if has_started { run.start_time } else { queued_at(run) };
        let until = if matches!(run.status, Status::Ended(_)) { run.end_time } else { Some(now) };
        let time = |time| layout.time(time);
        Self {
            test: details.test.clone(),
            status: run.status.as_str(),
            remarks: remarks_of(run, layout),
            // An adopted database may hold links that this version would have refused.
            dashboard_url: details.dashboard_url.clone().filter(|link| is_web_link(link)),
            stop: stop_label(run),
            verb: verb(run, has_started),
            duration: until.map(|until| duration_text(until.duration_since(begin))),
            has_started,
            location: details.location.as_ref().map(ToString::to_string),
            factor: run.factor_text(),
            capacity,
            triggered_by: details.triggered_by.clone(),
            begin: time(begin),
            end: run.end_time.map(|end| layout.zone.time_after(end, begin, now)),
            waited: waited(run).filter(|_| has_started),
            expected_end: outlook.expected_end.map(time),
            comparison: compared(run, usual_seconds),
            position: outlook.position,
            estimated_start: outlook.estimated_start.map(time),
            gives_up: run.place.as_ref().filter(|_| is_queued).map(|place| time(place.until)),
            progress: Progress::of(run, layout),
        }
    }
}

impl Progress {
    fn of(run: &Execution, layout: &Layout) -> Option<Self> {
        let expected = run.expected_seconds.filter(|_| run.status == Status::Running)?;
        let (passed, expected) = (layout.now.duration_since(run.start_time), i64::from(expected.max(1)));
        let seconds = passed.as_secs().clamp(0, expected);
        let whole = duration_text(SignedDuration::from_secs(expected));
        Some(Self {
            seconds,
            expected_seconds: expected,
            is_late: passed.as_secs() > expected,
            text: format!("{} of ≈ {whole}", duration_text(passed)),
        })
    }
}

fn remarks_of(run: &Execution, layout: &Layout) -> Vec<Remark> {
    let names: Vec<&str> = run.stop.as_ref().and_then(|stop| stop.by.as_deref()).into_iter().collect();
    let told = |sentence: &str| pieces(sentence, &names, Some(run.run_id.0), &layout.zone, layout.now);
    let remarks = remarks(run, layout.now).into_iter();
    remarks
        .map(|one| Remark { kind: one.kind, icon: one.icon, word: one.word, sentence: told(&one.sentence) })
        .collect()
}

const fn verb(run: &Execution, has_started: bool) -> &'static str {
    match (run.status, has_started) {
        (Status::Queued, _) => "Waits",
        (Status::Running, _) => "Runs",
        (Status::Ended(_), true) => "Ran",
        (Status::Ended(_), false) => "Waited",
    }
}

/// With a lease its runner is asked; without one only its share is given back.
fn stop_label(run: &Execution) -> Option<&'static str> {
    match run.status {
        Status::Queued => Some("Cancel …"),
        Status::Running if run.has_to_stop_first() => Some("Stop …"),
        Status::Running => Some("End it here …"),
        Status::Ended(_) => None,
    }
}

fn waited(run: &Execution) -> Option<String> {
    let waited = run.start_time.duration_since(run.place.as_ref()?.queued_at);
    (waited.as_secs() > 0).then(|| duration_text(waited))
}

/// Only of what succeeded: what failed early was not fast.
fn compared(run: &Execution, usual_seconds: Option<u32>) -> Option<String> {
    let took = duration_of(run).filter(|_| run.status.as_str() == "success")?;
    usual_seconds.map(|usual| comparison(percent_longer(took, usual)))
}
