//! `GET /status-html`: what runs and waits now, and how full each location is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;

use super::error::PageError;
use super::page::{Row, Time, render};
use crate::clock;
use crate::domain::answer::Holder;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::execution::{Execution, RunId, Status};
use crate::domain::gate::Gate;
use crate::domain::history::Filter;
use crate::domain::schedule::estimate::estimate_starts;
use crate::domain::schedule::queue::Queue;
use crate::present::gate::closed;
use crate::present::time::duration_text;
use crate::registry::{MOST_PER_PAGE, Registry};

/// More rows than that nobody reads; the history has them all.
const MOST_ROWS: usize = 200;

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    page: &'static str,
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
    /// Known only if everybody who waits was read.
    position: Option<usize>,
    run_id: i64,
    test: String,
    triggered_by: String,
    factor: String,
    priority: u8,
    since: Time,
    waited: String,
    until: Time,
    /// When it will probably start, where that can be told.
    starts: Option<Time>,
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
    /// How much of the capacity is in use, from 0 to 100.
    percent: i64,
}

/// The running and the waiting tests, as a page.
#[utoipa::path(
    get, path = "/status-html", operation_id = "show_running_executions", tag = "pages",
    responses((status = 200, body = String, content_type = "text/html")),
)]
pub async fn status_html(State(registry): State<Arc<Registry>>) -> Result<Response, PageError> {
    let with = |status| Filter { status: Some(status), ..Filter::default() };
    let (running, queued) = (with(Status::Running), with(Status::Queued));
    let (running, queued, locations, gate) = tokio::try_join!(
        registry.executions(&running, None, MOST_ROWS),
        registry.executions(&queued, None, MOST_PER_PAGE),
        registry.locations(),
        registry.gate(),
    )?;
    let now = clock::now();
    let is_whole = queued.next.is_none() && running.next.is_none();
    let starts =
        if is_whole { starts(&queued.executions, &running.executions, &locations, &gate, now) } else { HashMap::new() };
    let mut waiters = waiters(&queued.executions, queued.next.is_none(), &starts, now);
    let more_waiters = queued.next.is_some() || waiters.len() > MOST_ROWS;
    waiters.truncate(MOST_ROWS);
    Ok(render(&StatusPage {
        page: "status",
        closed: closed(&gate, now),
        rows: running.executions.iter().map(|execution| Row::new(execution, now)).collect(),
        more: running.next.is_some(),
        waiters,
        more_waiters,
        locations: locations.iter().map(|location| location_row(location, now)).collect(),
    }))
}

/// Those who wait, location by location, in the order in which they start.
fn waiters(queued: &[Execution], is_whole: bool, starts: &HashMap<RunId, Timestamp>, now: Timestamp) -> Vec<Waiter> {
    let mut waiters = Vec::with_capacity(queued.len());
    for (location, executions) in by_location(queued) {
        let queue = Queue::new(executions.iter().copied());
        let waiter = |execution: &&Execution| {
            let place = execution.place.as_ref()?;
            Some(Waiter {
                location: location.map_or_else(|| "none".to_owned(), ToString::to_string),
                // One that is passed over has none.
                position: (is_whole && !execution.is_suspect()).then(|| queue.ahead_of(execution, now) + 1),
                run_id: execution.run_id.0,
                test: execution.details.test.clone(),
                triggered_by: execution.details.triggered_by.clone(),
                factor: execution.factor().to_string(),
                priority: execution.priority.get(),
                since: Time::new(place.queued_at),
                waited: duration_text(now.duration_since(place.queued_at)),
                until: Time::new(place.until),
                starts: starts.get(&execution.run_id).copied().map(Time::new),
            })
        };
        let mut here: Vec<Waiter> = executions.iter().filter_map(waiter).collect();
        here.sort_by_key(|waiter| (waiter.position.is_none(), waiter.position));
        waiters.extend(here);
    }
    waiters
}

fn by_location(executions: &[Execution]) -> BTreeMap<Option<&LocationName>, Vec<&Execution>> {
    let mut by_location: BTreeMap<_, Vec<&Execution>> = BTreeMap::new();
    for execution in executions {
        by_location.entry(execution.details.location.as_ref()).or_default().push(execution);
    }
    by_location
}

/// When each of those who wait will probably start.
fn starts(
    queued: &[Execution],
    running: &[Execution],
    locations: &[Location],
    gate: &Gate,
    now: Timestamp,
) -> HashMap<RunId, Timestamp> {
    let (queued, running) = (by_location(queued), by_location(running));
    let here = |location: &Location| {
        let queue = Queue::new(queued.get(&location.name.as_ref())?.iter().copied());
        let holders: Vec<Holder> =
            running.get(&location.name.as_ref()).into_iter().flatten().copied().map(Holder::of).collect();
        Some(estimate_starts(location, gate, &holders, queue, now))
    };
    locations.iter().filter_map(here).flatten().collect()
}

fn location_row(location: &Location, now: Timestamp) -> LocationRow {
    let used_millionths = location.used.millionths().saturating_mul(100);
    LocationRow {
        name: location.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        capacity: location.capacity.to_string(),
        used: location.used.to_string(),
        available: location.available().to_string(),
        running: location.running,
        waiting: location.waiting,
        closed: closed(&location.gate, now),
        percent: (used_millionths / location.capacity.millionths().max(1)).clamp(0, 100),
    }
}
