//! `GET /status-html`: what runs and waits now, and how full each location is.

use std::cmp::Reverse;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;

use super::layout::{Layout, Section};
use super::page::{filters, render};
use super::row::Row;
use crate::domain::capacity::location::Location;
use crate::domain::execution::Execution;
use crate::domain::schedule::board::{BoardLocation, BoardWaiter};
use crate::http::error::ApiError;
use crate::present::gate::closed;
use crate::present::time::duration_text;
use crate::present::zone::ShownTime;
use crate::registry::Registry;

/// More rows than that nobody reads; the history has them all.
const MOST_ROWS: usize = 1_000;

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    layout: Layout,
    /// Why nothing starts anywhere, if nothing does.
    closed: Option<String>,
    rows: Vec<Row>,
    more: bool,
    waiters: Vec<Waiter>,
    more_waiters: bool,
    locations: Vec<LocationRow>,
}

struct Waiter {
    location: String,
    /// None for one that is passed over, and where more wait than were looked at.
    position: Option<usize>,
    run_id: i64,
    test: String,
    triggered_by: String,
    factor: String,
    priority: u8,
    since: ShownTime,
    waited: String,
    until: ShownTime,
    /// When it will probably start, where that can be told.
    starts: Option<ShownTime>,
}

struct LocationRow {
    name: String,
    capacity: String,
    used: String,
    available: String,
    running: i64,
    waiting: i64,
    /// Why nothing starts here, if nothing does.
    closed: Option<String>,
}

/// The running and the waiting tests, as a page.
#[utoipa::path(
    get, path = "/status-html", operation_id = "show_running_executions", tag = "pages",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub async fn status_html(State(registry): State<Arc<Registry>>, layout: Layout) -> Result<Response, ApiError> {
    let layout = layout.of(Section::Now);
    let now = layout.now;
    let board = registry.board(None, now).await?;
    let mut running: Vec<&Execution> =
        board.locations.iter().flat_map(|here| &here.running).map(|run| &run.execution).collect();
    running.sort_by_key(|run| Reverse((run.start_time, run.run_id)));
    let rows = running.iter().take(MOST_ROWS).map(|execution| Row::new(execution, &layout)).collect();
    let waiters = board.locations.iter().flat_map(|here| here.queue.iter().map(move |waiter| (here, waiter)));
    let waiters = waiters.filter_map(|(here, waiter)| Waiter::new(here, waiter, &layout)).take(MOST_ROWS).collect();
    let count = |count: fn(&Location) -> i64| board.locations.iter().map(|here| count(&here.location)).sum::<i64>();
    let more_than_shown = |count: i64| usize::try_from(count).is_ok_and(|count| count > MOST_ROWS);
    let bound = board.locations.iter().filter(|here| here.location.name.is_some());
    Ok(render(&StatusPage {
        closed: closed(&board.registry, now),
        more: more_than_shown(count(|location| location.running)),
        rows,
        waiters,
        more_waiters: more_than_shown(count(|location| location.waiting)),
        locations: bound.map(|here| location_row(here, now)).collect(),
        layout,
    }))
}

impl Waiter {
    fn new(here: &BoardLocation, waiter: &BoardWaiter, layout: &Layout) -> Option<Self> {
        let execution = &waiter.execution;
        let place = execution.place.as_ref()?;
        Some(Self {
            location: here.location.name.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string),
            position: waiter.position,
            run_id: execution.run_id.0,
            test: execution.details.test.clone(),
            triggered_by: execution.details.triggered_by.clone(),
            factor: execution.factor().to_string(),
            priority: execution.priority.get(),
            since: layout.time(place.queued_at),
            waited: duration_text(layout.now.duration_since(place.queued_at)),
            until: layout.time(place.until),
            starts: waiter.estimated_start.map(|start| layout.time(start)),
        })
    }
}

fn location_row(here: &BoardLocation, now: Timestamp) -> LocationRow {
    let location = &here.location;
    let whose = if here.closed_by_registry { "the registry is " } else { "" };
    LocationRow {
        name: location.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        capacity: location.capacity.to_string(),
        used: location.used.to_string(),
        available: location.available().to_string(),
        running: location.running,
        waiting: location.waiting,
        closed: closed(&here.gate, now).map(|closed| format!("{whose}{closed}")),
    }
}
