//! Beside whom it ran, in a table and in a picture.

use jiff::{SignedDuration, Timestamp};

use crate::domain::execution::{Execution, Status};
use crate::domain::schedule::estimate::expected_end;
use crate::domain::schedule::neighbours::{Neighbour, peak, time_of};
use crate::http::html::layout::Layout;
use crate::present::lanes::{Window, bars, percent};
use crate::present::run::{beside, look_back};
use crate::present::text::{shortened, visible};
use crate::present::time::duration_text;
use crate::present::zone::ShownTime;
use crate::registry::Neighbours;

/// So many are listed and drawn.
const MOST_SHOWN: usize = 20;
const LONGEST_NAME: usize = 48;
/// In pixels: a lane, the bar in it, and what is below all lanes for the times.
const LANE: usize = 24;
const BAR: usize = 20;
const AXIS: usize = 20;

pub struct Beside {
    /// How many there were, in a sentence.
    pub sentence: String,
    pub is_alone: bool,
    pub rows: Vec<Row>,
    /// How many are not listed.
    pub more: usize,
    /// Whether there were more than were looked at.
    pub is_cut: bool,
    /// The most that was used at once, where all that ran is known.
    pub peak: Option<String>,
    pub picture: Option<Picture>,
    /// What such a look cannot find.
    pub look_back: Option<String>,
}

pub struct Row {
    pub run_id: i64,
    pub test: String,
    pub by: String,
    pub factor: Option<String>,
    pub status: &'static str,
    pub from: ShownTime,
    pub to: ShownTime,
    pub shared: String,
    /// How much of this run's time, in whole per cent.
    pub percent: String,
}

pub struct Picture {
    pub height: usize,
    pub floor: usize,
    pub bars: Vec<Bar>,
    pub label: String,
    /// When the run began, and where that is.
    pub begin: (String, ShownTime),
    /// When it ended, or will probably end.
    pub end: (String, ShownTime),
    /// Where now is, where what is expected stands behind it.
    pub now: Option<String>,
}

pub struct Bar {
    pub run_id: i64,
    pub status: &'static str,
    pub is_this: bool,
    pub x: String,
    pub width: String,
    /// From now to when it will probably end.
    pub ghost: Option<(String, String)>,
    pub y: usize,
    pub height: usize,
    pub test: String,
    pub label: String,
}

impl Beside {
    pub fn new(run: &Execution, found: &Neighbours, layout: &Layout) -> Self {
        let (neighbours, count) = (&found.neighbours, found.neighbours.len());
        let shown = &neighbours[..count.min(MOST_SHOWN)];
        let time = run.details.location.as_ref().and(time_of(run, layout.now));
        let peak = time.filter(|_| count > 0 && !found.more).map(|_| peak(run, neighbours, layout.now).to_string());
        Self {
            sentence: beside(run, count),
            is_alone: count == 0 && !found.more && time.is_some(),
            rows: time.map(|time| shown.iter().map(|one| row(one, time, layout)).collect()).unwrap_or_default(),
            more: count - shown.len(),
            is_cut: found.more,
            peak,
            picture: time.filter(|_| count > 0).map(|time| Picture::new(run, shown, time, layout)),
            look_back: time.map(|_| look_back()),
        }
    }
}

fn row(Neighbour { execution, overlap }: &Neighbour, (start, end): (Timestamp, Timestamp), layout: &Layout) -> Row {
    let (other_start, other_end) = time_of(execution, layout.now).unwrap_or((start, end));
    let (from, to) = (start.max(other_start), end.min(other_end));
    let whole = end.duration_since(start).max(SignedDuration::from_nanos(1));
    Row {
        run_id: execution.run_id.0,
        test: shortened(&execution.details.test, LONGEST_NAME).into_owned(),
        by: shortened(&execution.details.triggered_by, LONGEST_NAME).into_owned(),
        factor: execution.factor_text(),
        status: execution.status.as_str(),
        from: layout.zone.time_after(from, start, layout.now),
        to: layout.zone.time_after(to, from, layout.now),
        shared: duration_text(*overlap),
        percent: format!("{:.0}", overlap.as_secs_f64() / whole.as_secs_f64() * 100.0),
    }
}

impl Picture {
    fn new(run: &Execution, others: &[Neighbour], (start, end): (Timestamp, Timestamp), layout: &Layout) -> Self {
        let expected = expected(run, layout);
        let window = Window::around((start, expected.unwrap_or(end)));
        let span = |one: &Neighbour| time_of(&one.execution, layout.now).unwrap_or((start, end));
        let placed = bars(&others.iter().map(span).collect::<Vec<_>>(), window);
        let lanes = 1 + placed.iter().map(|bar| bar.lane + 1).max().unwrap_or_default();
        let (x, x_of_end) = (window.x(start), window.x(end));
        let shown_end = expected.unwrap_or(end);
        let own = Bar {
            is_this: true,
            x: percent(x),
            width: percent(x_of_end - x),
            ghost: ghost(run, window, layout),
            y: 0,
            label: format!("This run, {}", label(run, (start, end), None, layout)),
            ..bar(run)
        };
        let other = |(one, place): (&Neighbour, crate::present::lanes::Bar)| Bar {
            x: place.x,
            width: place.width,
            ghost: ghost(&one.execution, window, layout),
            y: (place.lane + 1) * LANE,
            label: label(&one.execution, span(one), Some(one.overlap), layout),
            ..bar(&one.execution)
        };
        Self {
            height: lanes * LANE + AXIS,
            floor: lanes * LANE,
            bars: std::iter::once(own).chain(others.iter().zip(placed).map(other)).collect(),
            label: "What ran at the same time; the table below lists it".to_owned(),
            begin: (percent(x), layout.time(start)),
            end: (percent(window.x(shown_end)), layout.zone.time_after(shown_end, start, layout.now)),
            now: expected.map(|_| percent(x_of_end)),
        }
    }
}

/// When it will probably end, if it runs and that can be told.
fn expected(run: &Execution, layout: &Layout) -> Option<Timestamp> {
    let is_on_time = run.status == Status::Running && !run.is_overdue(layout.now);
    let seconds = run.expected_seconds.filter(|_| is_on_time)?;
    Some(expected_end(run.start_time, seconds, layout.now))
}

fn ghost(run: &Execution, window: Window, layout: &Layout) -> Option<(String, String)> {
    let (from, to) = (window.x(layout.now), window.x(expected(run, layout)?));
    Some((percent(from), percent(to - from)))
}

fn bar(run: &Execution) -> Bar {
    Bar {
        run_id: run.run_id.0,
        status: run.status.as_str(),
        is_this: false,
        x: String::new(),
        width: String::new(),
        ghost: None,
        y: 0,
        height: BAR,
        test: shortened(&run.details.test, LONGEST_NAME).into_owned(),
        label: String::new(),
    }
}

/// A whole sentence for who cannot see the bar.
fn label(
    run: &Execution,
    (start, end): (Timestamp, Timestamp),
    overlap: Option<SignedDuration>,
    layout: &Layout,
) -> String {
    let test = shortened(&run.details.test, LONGEST_NAME);
    let factor = run.factor_text().map(|factor| format!(", factor {factor}")).unwrap_or_default();
    let (from, to) = (layout.time(start).text, layout.zone.time_after(end, start, layout.now).text);
    let until = if run.end_time.is_some() { format!("{from} to {to}") } else { format!("since {from}") };
    let shared = overlap.map(|overlap| format!(", {} of it together", duration_text(overlap))).unwrap_or_default();
    let sentence = format!("{test}, run {}, {}{factor}, {until}{shared}", run.run_id, run.status);
    visible(&sentence).into_owned()
}
