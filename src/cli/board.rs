//! The board on a terminal: what runs, who waits, and what is closed.

use jiff::Timestamp;

use super::duration::{exact, relative};
use super::gate;
use super::locations::rows_of_locations;
use super::output::printable;
use super::runs::factor;
use super::table::{Column, table};
use super::terminal::wrapped;
use crate::present::time::duration_text;
use crate::wire::board::{Board, BoardLocation, BoardRun, BoardWaiter};
use crate::wire::gate::GateState;

/// What runs, who waits and where nothing may start; each only if there is any.
pub fn board_text(board: &Board, now: Timestamp, width: Option<usize>) -> String {
    let in_lines = |sentences: String| wrapped(&sentences, 0, width);
    let (closed, adopted) = (closed(board).map(in_lines), adopted(board).map(in_lines));
    let parts = [closed, Some(running(board, now, width)), waiting(board, now, width), adopted];
    let mut text = parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    if has_unknown(board) {
        text.push_str("\n\n? is unknown: nothing tells how long a run takes; give its next run --expected.");
    }
    text
}

/// Whether an end or a start is shown as unknown.
fn has_unknown(board: &Board) -> bool {
    let unknown_end = |run: &BoardRun| run.expected_end.is_none() && run.stop.is_none() && !run.suspect;
    let unknown_start = |waiter: &BoardWaiter| waiter.estimated_start.is_none() && !waiter.suspect;
    board.locations.iter().any(|here| here.runs.iter().any(unknown_end) || here.queue.iter().any(unknown_start))
}

/// How full one location is, in a line.
pub fn fullness(here: &BoardLocation) -> Option<String> {
    let (name, capacity, free) = (here.name.as_ref()?, here.capacity.as_ref()?, here.available.as_ref()?);
    let runs = if here.running == 1 { "1 run".to_owned() } else { format!("{} runs", here.running) };
    Some(printable(&format!(
        "{name}: {} of {capacity} used by {runs}, {free} free; {} waiting.",
        here.used, here.waiting
    )))
}

fn running(board: &Board, now: Timestamp, width: Option<usize>) -> String {
    let runs: Vec<(&BoardLocation, &BoardRun)> = each(board, |here| &here.runs);
    if runs.is_empty() {
        return "Nothing is running.".to_owned();
    }
    let columns = [
        Column::number("RUN"),
        Column::kept("LOCATION"),
        Column::number("FACTOR").unless_narrow(4),
        Column::text("TEST").unless_narrow(3),
        Column::text("REPO").unless_narrow(1),
        Column::text("BY").unless_narrow(2),
        Column::whole("RUNS FOR"),
        Column::whole("ENDS"),
        Column::text("TYPE").if_wide(),
        Column::text("ENVIRONMENT").if_wide(),
        Column::text("STREAM").if_wide(),
    ];
    let row = |(here, run): (&BoardLocation, &BoardRun)| {
        [
            run.run_id.to_string(),
            place(here),
            factor(run.factor.as_ref()),
            run.test.clone(),
            run.repo.clone(),
            run.triggered_by.clone(),
            duration_text(now.duration_since(run.start_time)),
            ends(run, now),
            run.r#type.clone(),
            run.environment.clone(),
            run.stream.clone(),
        ]
    };
    let not_shown = not_shown(board, |here| here.running, |here| here.runs.len(), "run", "runs");
    format!("{}{not_shown}", table(columns, runs.into_iter().map(row).collect(), width))
}

fn waiting(board: &Board, now: Timestamp, width: Option<usize>) -> Option<String> {
    let waiters: Vec<(&BoardLocation, &BoardWaiter)> = each(board, |here| &here.queue);
    if waiters.is_empty() {
        return None;
    }
    let columns = [
        Column::number("RUN"),
        Column::kept("WAITS FOR"),
        Column::number("FACTOR").unless_narrow(4),
        Column::text("TEST").unless_narrow(3),
        Column::text("REPO").unless_narrow(1),
        Column::text("BY").unless_narrow(2),
        Column::number("POSITION"),
        Column::whole("STARTS"),
        Column::whole("WAITED").if_wide(),
        Column::whole("GIVES UP").if_wide(),
        Column::number("PRIORITY").if_wide(),
        Column::text("ENVIRONMENT").if_wide(),
        Column::text("STREAM").if_wide(),
    ];
    let row = |(here, waiter): (&BoardLocation, &BoardWaiter)| {
        [
            waiter.run_id.to_string(),
            place(here),
            factor(waiter.factor.as_ref()),
            waiter.test.clone(),
            waiter.repo.clone(),
            waiter.triggered_by.clone(),
            waiter.position.map_or_else(|| "-".to_owned(), |position| position.to_string()),
            starts(waiter, now).unwrap_or_else(|| "?".to_owned()),
            duration_text(now.duration_since(waiter.queued_at)),
            relative(waiter.wait_until, now),
            waiter.priority.to_string(),
            waiter.environment.clone(),
            waiter.stream.clone(),
        ]
    };
    let not_shown = not_shown(board, |here| here.waiting, |here| here.queue.len(), "waits", "wait");
    Some(format!("{}{not_shown}", table(columns, waiters.into_iter().map(row).collect(), width)))
}

/// How full each location is, of so many of them: first the ones where something runs or waits.
pub fn locations_text(board: &Board, most: usize, width: Option<usize>) -> String {
    let mut locations: Vec<&BoardLocation> = board.locations.iter().filter(|here| here.name.is_some()).collect();
    locations.sort_by_key(|here| here.running + here.waiting == 0);
    let hidden = locations.len().saturating_sub(most);
    locations.truncate(most);
    let bound = locations.into_iter().filter_map(|here| {
        let (name, capacity, available) = (here.name.clone()?, here.capacity.as_ref()?, here.available.as_ref()?);
        let [used, capacity, available] = [&here.used, capacity, available].map(ToString::to_string);
        let [running, waiting] = [here.running, here.waiting].map(|count| count.to_string());
        Some([name, used, capacity, available, running, waiting, gate::describe(&here.gate)])
    });
    let rows: Vec<_> = bound.collect();
    match (rows.len(), hidden) {
        (0, 0) => "No location has been used yet.".to_owned(),
        (_, 0) => rows_of_locations(rows, width),
        (_, hidden) => format!("{}\n{hidden} more.", rows_of_locations(rows, width)),
    }
}

/// A line for the registry and for each location that is closed by itself.
fn closed(board: &Board) -> Option<String> {
    let is_closed = |state: GateState| state != GateState::Open;
    let registry = is_closed(board.registry.state).then(|| ("the registry".to_owned(), &board.registry));
    let here = |here: &&BoardLocation| is_closed(here.gate.state) && !here.closed_by_registry;
    let locations = board.locations.iter().filter(here).map(|here| (place(here), &here.gate));
    let line = |(what, gate)| printable(&format!("{what} is {}.", gate::describe(gate)));
    let lines: Vec<String> = registry.into_iter().chain(locations).map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What the original left running.
fn adopted(board: &Board) -> Option<String> {
    let shown = board.locations.iter().flat_map(|here| &here.runs).filter(|run| run.adopted);
    let oldest = exact(shown.map(|run| run.start_time).min()?);
    let of_them = match board.locations.iter().map(|here| here.adopted).sum() {
        1_usize => format!("1 of them was adopted from the original's database, and runs since {oldest}"),
        count => format!("{count} of them were adopted from the original's database, the oldest runs since {oldest}"),
    };
    Some(format!("{of_them}. perfreg locations says what they hold up, and how to end them."))
}

fn each<'board, T>(
    board: &'board Board,
    list: impl Fn(&'board BoardLocation) -> &'board Vec<T>,
) -> Vec<(&'board BoardLocation, &'board T)> {
    board.locations.iter().flat_map(|here| list(here).iter().map(move |one| (here, one))).collect()
}

fn not_shown(
    board: &Board,
    all: impl Fn(&BoardLocation) -> i64,
    shown: impl Fn(&BoardLocation) -> usize,
    one: &str,
    several: &str,
) -> String {
    let missing: i64 = board.locations.iter().map(|here| all(here) - shown(here) as i64).sum();
    match missing {
        ..=0 => String::new(),
        1 => format!("\n1 more {one}."),
        missing => format!("\n{missing} more {several}."),
    }
}

fn place(here: &BoardLocation) -> String {
    here.name.clone().unwrap_or_else(|| "-".to_owned())
}

/// When it will probably end, or what a person should know before that.
fn ends(run: &BoardRun, now: Timestamp) -> String {
    match run.expected_end {
        _ if run.stop.is_some() => "stopping".to_owned(),
        _ if run.suspect => "suspect".to_owned(),
        _ if run.overdue => "overdue".to_owned(),
        Some(end) if end > now => relative(end, now),
        Some(_) => "now".to_owned(),
        None => "?".to_owned(),
    }
}

/// When it will probably start, or that it is passed over; nothing where that cannot be told.
pub fn starts(waiter: &BoardWaiter, now: Timestamp) -> Option<String> {
    match waiter.estimated_start {
        _ if waiter.suspect => Some("silent".to_owned()),
        Some(start) if start > now => Some(relative(start, now)),
        Some(_) => Some("now".to_owned()),
        None => None,
    }
}
