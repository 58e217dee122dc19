//! `/locations/{name}` for browsers: what runs and waits there, its capacity and its state.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::entry::{Browser, Entry, Outcome};
use super::gate::{Choice, Closed, choices};
use super::layout::Layout;
use super::page::{filters, render};
use super::row::Row;
use super::setting::Setting;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::schedule::board::{Board, BoardLocation, BoardWaiter};
use crate::http::error::ApiError;
use crate::http::remarks;
use crate::http::request::form::Form;
use crate::http::request::setting::{decoded, named};
use crate::present::location::{flaw, not_there};
use crate::present::time::duration_text;
use crate::present::zone::ShownTime;
use crate::registry::Registry;

/// More rows than that nobody reads; the history has them all.
const MOST_ROWS: usize = 100;

#[derive(Template)]
#[template(path = "location.html")]
struct LocationPage {
    layout: Layout,
    name: String,
    /// That it was never used nor set, if so.
    unknown: Option<String>,
    /// The one that may have been meant instead.
    nearest: Option<String>,
    flaw: Option<String>,
    capacity: String,
    used: String,
    free: String,
    /// Whether more is in use than its capacity allows.
    is_over: bool,
    running: i64,
    waiting: i64,
    state: &'static str,
    closed: Option<Closed>,
    /// The registry's gate, if that holds more back than the location's own.
    registry_closed: Option<Closed>,
    rows: Vec<Row>,
    more_rows: bool,
    waiters: Vec<Waiter>,
    more_waiters: bool,
    choices: [Choice; 3],
    entry: Entry,
    outcome: Outcome,
    now: String,
}

struct Waiter {
    run_id: i64,
    test: String,
    triggered_by: String,
    /// None for one that is passed over.
    position: Option<usize>,
    factor: String,
    waited: String,
    starts: Option<ShownTime>,
}

/// What is known of one location.
struct Known {
    name: LocationName,
    /// As it is, or as it would be before its first use.
    location: Location,
    board: Option<Board>,
    unknown: Option<String>,
    nearest: Option<String>,
}

pub async fn location(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    browser: Browser,
    layout: Layout,
) -> Result<Response, ApiError> {
    one(&registry, &decoded(path)?, &browser, layout).await
}

/// As [`location`], behind a proxy that decodes the `%2F` of a name.
pub async fn location_with_slash(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<(String, String)>, PathRejection>,
    browser: Browser,
    layout: Layout,
) -> Result<Response, ApiError> {
    let (name, rest) = decoded(path)?;
    one(&registry, &format!("{name}/{rest}"), &browser, layout).await
}

async fn one(registry: &Registry, text: &str, browser: &Browser, layout: Layout) -> Result<Response, ApiError> {
    let known = find(registry, text, &layout).await?;
    let entry = known.setting().entry(browser, &layout);
    let status = if known.unknown.is_some() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let page = show(&known, entry, browser.outcome(&known.about()), layout);
    Ok((status, browser.told(page)).into_response())
}

pub async fn set_location(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    browser: Browser,
    layout: Layout,
    form: Form,
) -> Result<Response, ApiError> {
    set(&registry, &decoded(path)?, &browser, layout, &form).await
}

/// As [`set_location`], behind a proxy that decodes the `%2F` of a name.
pub async fn set_location_with_slash(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<(String, String)>, PathRejection>,
    browser: Browser,
    layout: Layout,
    form: Form,
) -> Result<Response, ApiError> {
    let (name, rest) = decoded(path)?;
    set(&registry, &format!("{name}/{rest}"), &browser, layout, &form).await
}

/// Sets what was changed in the form as `PUT /locations/{name}` does, if the location still is as the form showed it.
async fn set(
    registry: &Registry,
    text: &str,
    browser: &Browser,
    layout: Layout,
    form: &Form,
) -> Result<Response, ApiError> {
    let known = find(registry, text, &layout).await?;
    let entry = known.setting().entry(browser, &layout);
    let change = match known.setting().read(form, entry, &layout)? {
        Ok(change) => change,
        Err(again) => return Ok((again.status, show(&known, again.entry, again.outcome, layout)).into_response()),
    };
    let about = known.about();
    // A location that nobody has used comes to be with the capacity that the form shows.
    let capacity = change.capacity.or_else(|| known.unknown.as_ref().map(|_| known.location.capacity));
    let outcome = if capacity.is_some() || change.gate.is_some() {
        registry.set_location(known.name, capacity, change.gate, Some(change.by.clone())).await?;
        Outcome::Saved
    } else {
        Outcome::Unchanged
    };
    Ok(browser.lead_on(&change.by, outcome, &about))
}

async fn find(registry: &Registry, text: &str, layout: &Layout) -> Result<Known, ApiError> {
    let name = named(registry, text).await?.map_err(|message| ApiError::invalid("name", message))?;
    let there = registry.location(&name).await?.filter(|location| location.name.is_some());
    let Some(location) = there else {
        let new = remarks::notice(registry, &name).await;
        let unknown = new.as_ref().map_or_else(|| "No test has used this location.".to_owned(), not_there);
        let location = Location::unused(Some(name.clone()));
        let nearest = new.and_then(|new| new.nearest);
        return Ok(Known { name, location, board: None, unknown: Some(unknown), nearest });
    };
    let board = registry.board(Some(&name), layout.now).await?;
    let location = Location { gate: location.gate.at(layout.now), ..location };
    Ok(Known { name, location, board: Some(board), unknown: None, nearest: None })
}

impl Known {
    fn setting(&self) -> Setting<'_> {
        Setting { capacity: Some(self.location.capacity), gate: &self.location.gate }
    }

    /// What an outcome calls it.
    fn about(&self) -> String {
        format!("location {}", self.name)
    }
}

fn show(known: &Known, entry: Entry, outcome: Outcome, layout: Layout) -> Response {
    let location = &known.location;
    let here = known.board.as_ref().and_then(|board| board.locations.first());
    let registry = known.board.as_ref().filter(|_| here.is_some_and(|here| here.closed_by_registry));
    let running = |here: &BoardLocation| {
        let newest = here.running.iter().rev().take(MOST_ROWS);
        newest.map(|run| Row::new(&run.execution, &layout)).collect()
    };
    let waiting = |here: &BoardLocation| {
        here.queue.iter().take(MOST_ROWS).filter_map(|waiter| Waiter::new(waiter, &layout)).collect()
    };
    render(&LocationPage {
        name: known.name.to_string(),
        unknown: known.unknown.clone(),
        nearest: known.nearest.clone(),
        flaw: flaw(known.name.as_str()),
        capacity: location.capacity.to_string(),
        used: location.used.to_string(),
        free: location.available().to_string(),
        is_over: location.used >= location.capacity,
        running: location.running,
        waiting: location.waiting,
        state: location.gate.state.as_str(),
        closed: Closed::of(Closed::LOCATION, &location.gate, &layout),
        registry_closed: registry.and_then(|board| Closed::of(Closed::REGISTRY, &board.registry, &layout)),
        more_rows: is_more_than_shown(location.running),
        more_waiters: is_more_than_shown(location.waiting),
        rows: here.map(running).unwrap_or_default(),
        waiters: here.map(waiting).unwrap_or_default(),
        choices: choices(location.running, location.leased),
        entry: entry.with("shown", &known.setting().mark()),
        outcome,
        now: format!("Its capacity is {} now, and it is {}.", location.capacity, location.gate.state.as_str()),
        layout,
    })
}

fn is_more_than_shown(count: i64) -> bool {
    usize::try_from(count).is_ok_and(|count| count > MOST_ROWS)
}

impl Waiter {
    fn new(waiter: &BoardWaiter, layout: &Layout) -> Option<Self> {
        let execution = &waiter.execution;
        let place = execution.place.as_ref()?;
        Some(Self {
            run_id: execution.run_id.0,
            test: execution.details.test.clone(),
            triggered_by: execution.details.triggered_by.clone(),
            position: waiter.position,
            factor: execution.factor().to_string(),
            waited: duration_text(layout.now.duration_since(place.queued_at)),
            starts: waiter.estimated_start.map(|start| layout.time(start)),
        })
    }
}
