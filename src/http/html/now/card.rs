//! A location: how much is free, who holds it, when a test would start, who waits.

use super::Most;
use super::question::Asked;
use crate::domain::capacity::factor::Factor;
use crate::domain::execution::Execution;
use crate::domain::schedule::board::{Board, BoardLocation, BoardRun, BoardWaiter};
use crate::domain::schedule::question::WouldStart;
use crate::http::html::gate::Closed;
use crate::http::html::layout::{Layout, is_path, segment};
use crate::present::time::duration_text;
use crate::present::zone::ShownTime;

/// Longer names are cut in the labels of a bar, where nobody can read them.
const LONGEST_LABEL_CHARACTERS: usize = 60;

pub struct Card {
    /// Its id on the page.
    pub id: String,
    /// None for the tests that name no location, of which any number may run.
    pub name: Option<String>,
    /// The way to its page.
    pub page: String,
    /// Whether that is a page of its own, and not the history of its runs.
    pub has_page: bool,
    pub used: String,
    pub free: String,
    pub capacity: String,
    pub waiting: i64,
    /// Draining or stopped, by its own gate or the registry's; none if it is open.
    pub state: Option<&'static str>,
    /// Its own gate, if that is closed. The registry's is told once for the page.
    pub closed: Option<Closed>,
    pub boxes: Vec<HolderBox>,
    /// The share of the runs that have no box of their own, in per cent from where on.
    pub rest: Option<(String, String, i64)>,
    pub start: Option<Start>,
    /// What is asked for has to be below this to start now.
    pub below: Option<String>,
    /// Who holds it, and until when; the oldest run first.
    pub holders: Vec<HolderRow>,
    /// How many hold it who are not shown.
    pub more_holders: usize,
    pub queue: Vec<WaiterRow>,
    /// How many wait who are not shown.
    pub more_waiters: usize,
    /// The query that finds them in the history.
    pub queue_query: String,
}

/// A run in the bar of its location, in per cent of its width.
pub struct HolderBox {
    pub run_id: i64,
    pub label: String,
    pub factor: String,
    pub x: String,
    pub width: String,
    /// Whether somebody should look after it, or it was asked to stop.
    pub is_marked: bool,
}

/// When a test as asked for would start.
pub enum Start {
    AtOnce,
    At(ShownTime),
    OnceOpened,
    Never(String),
    Unknown,
}

/// A run that holds a share of the location.
pub struct HolderRow {
    pub run_id: i64,
    pub label: String,
    pub triggered_by: String,
    pub factor: Option<String>,
    /// When it will probably end, unless it runs for longer than expected already.
    pub end: Option<ShownTime>,
    /// For how much longer than expected it has run.
    pub over: Option<String>,
}

pub struct WaiterRow {
    pub run_id: i64,
    pub test: String,
    pub triggered_by: String,
    pub factor: String,
    /// None for one that is passed over.
    pub position: Option<usize>,
    pub waited: String,
    pub start: Option<ShownTime>,
    pub is_passed_over: bool,
}

impl Card {
    pub fn new(here: &BoardLocation, board: &Board, asked: &Asked, layout: &Layout, most: Most) -> Self {
        let location = &here.location;
        let name = location.name.as_ref().map(ToString::to_string);
        let (boxes, rest) = boxes(here, most.boxes);
        let nobody_waits = here.location.waiting == 0;
        let below = (here.gate.is_open() && nobody_waits).then_some(location.available());
        let queue_query = queue_query(name.as_deref().unwrap_or_default());
        Self {
            id: format!("location-{}", segment(name.as_deref().unwrap_or_default())),
            page: layout.location(name.as_deref().unwrap_or_default()),
            has_page: name.as_deref().is_some_and(is_path),
            used: location.used.to_string(),
            free: location.available().to_string(),
            capacity: location.capacity.to_string(),
            waiting: location.waiting,
            state: (!here.gate.is_open()).then(|| here.gate.state.as_str()),
            closed: Closed::of(Closed::LOCATION, &location.gate, layout),
            boxes,
            rest,
            start: start(here, board, asked, layout),
            below: below
                .filter(|below| *below > Factor::ZERO && location.name.is_some())
                .map(|below| below.to_string()),
            holders: here.running.iter().take(most.holders).map(|run| HolderRow::new(run, layout)).collect(),
            more_holders: usize::try_from(location.running).unwrap_or(0).saturating_sub(most.holders),
            queue: here.queue.iter().take(most.waiters).map(|waiter| WaiterRow::new(waiter, layout)).collect(),
            more_waiters: usize::try_from(location.waiting).unwrap_or(0).saturating_sub(most.waiters),
            queue_query,
            name,
        }
    }

    /// Whether what is asked for would start at once.
    pub const fn starts_at_once(&self) -> bool {
        matches!(self.start, Some(Start::AtOnce))
    }

    /// Whether what is asked for could ever start.
    pub const fn could_start(&self) -> bool {
        self.name.is_some() && !matches!(self.start, None | Some(Start::Never(_)))
    }

    /// How many wait, in words.
    pub fn wait_text(&self) -> String {
        match self.waiting {
            1 => "1 waits".to_owned(),
            waiting => format!("{waiting} wait"),
        }
    }
}

/// A location without a card of its own.
pub struct OtherLocation {
    pub id: String,
    pub name: String,
    pub page: String,
    pub free: String,
    pub capacity: String,
    pub running: i64,
    pub waiting: i64,
    pub state: &'static str,
    pub start: Option<Start>,
}

impl OtherLocation {
    pub fn new(here: &BoardLocation, board: &Board, asked: &Asked, layout: &Layout) -> Self {
        let location = &here.location;
        let name = location.name.as_ref().map(ToString::to_string).unwrap_or_default();
        Self {
            id: format!("location-{}", segment(&name)),
            page: layout.location(&name),
            free: location.available().to_string(),
            capacity: location.capacity.to_string(),
            running: location.running,
            waiting: location.waiting,
            state: here.gate.state.as_str(),
            start: start(here, board, asked, layout),
            name,
        }
    }
}

impl WaiterRow {
    fn new(waiter: &BoardWaiter, layout: &Layout) -> Self {
        let execution = &waiter.execution;
        let since = execution.place.as_ref().map_or(execution.start_time, |place| place.queued_at);
        Self {
            run_id: execution.run_id.0,
            test: execution.details.test.clone(),
            triggered_by: execution.details.triggered_by.clone(),
            factor: execution.factor().to_string(),
            position: waiter.position,
            waited: duration_text(layout.now.duration_since(since)),
            start: waiter.estimated_start.map(|start| layout.time(start)),
            is_passed_over: execution.is_suspect(),
        }
    }
}

fn start(here: &BoardLocation, board: &Board, asked: &Asked, layout: &Layout) -> Option<Start> {
    Some(match board.would_start(here, asked.question?) {
        WouldStart::AtOnce => Start::AtOnce,
        WouldStart::At(start) => Start::At(layout.time(start)),
        WouldStart::OnceOpened => Start::OnceOpened,
        WouldStart::Never(largest) => Start::Never(largest.to_string()),
        WouldStart::Unknown => Start::Unknown,
    })
}

impl HolderRow {
    fn new(run: &BoardRun, layout: &Layout) -> Self {
        let execution = &run.execution;
        let over = execution.over(layout.now);
        Self {
            run_id: execution.run_id.0,
            label: label(execution),
            triggered_by: execution.details.triggered_by.clone(),
            factor: execution.factor_text(),
            end: run.expected_end.filter(|_| over.is_none()).map(|end| layout.time(end)),
            over: over.map(duration_text),
        }
    }
}

/// The first boxes, the oldest run first, and what is left for the others: from where on, how wide, how many.
fn boxes(here: &BoardLocation, most: usize) -> (Vec<HolderBox>, Option<(String, String, i64)>) {
    let location = &here.location;
    if location.name.is_none() {
        return (Vec::new(), None);
    }
    // What was taken back in may be more than the capacity; nothing sticks out.
    let whole = location.capacity.max(location.used).millionths().max(1);
    let per_cent = |part: Factor| per_cent(part.millionths(), whole);
    let holders = here.running.iter().map(|run| &run.execution).filter(|run| run.factor() > Factor::ZERO);
    let mut before = Factor::ZERO;
    let holder_box = |run: &Execution| {
        let x = before;
        before = before + run.factor();
        HolderBox {
            run_id: run.run_id.0,
            label: label(run),
            factor: run.factor().to_string(),
            x: per_cent(x),
            width: per_cent(run.factor()),
            is_marked: run.is_suspect() || run.stop.is_some(),
        }
    };
    let boxes: Vec<HolderBox> = holders.take(most).map(holder_box).collect();
    let rest = location.used.left_after(before);
    let others = location.running - boxes.len() as i64;
    let rest = (rest > Factor::ZERO).then(|| (per_cent(before), per_cent(rest), others));
    (boxes, rest)
}

/// With two digits, exactly: a bar of many runs must end where they end.
fn per_cent(part: i64, whole: i64) -> String {
    let hundredths = i128::from(part) * 10_000 / i128::from(whole);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

fn label(run: &Execution) -> String {
    let test = &run.details.test;
    let mut label: String = test.chars().take(LONGEST_LABEL_CHARACTERS).collect();
    if label.len() < test.len() {
        label.push('…');
    }
    label
}

/// What finds those who wait there in the history.
fn queue_query(location: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("status", "queued");
    if !location.is_empty() {
        query.append_pair("location", location);
    }
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_bar_are_exact_to_a_hundredth_of_a_per_cent() {
        assert_eq!(per_cent(1, 3), "33.33%");
        assert_eq!(per_cent(1_000_000_000_000, 1_000_000_000_000), "100.00%");
        assert_eq!(per_cent(35_000, 1_000_000), "3.50%");
    }
}
