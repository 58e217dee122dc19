//! `/locations/{name}` for browsers: what runs and waits there, its capacity and its state.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::entry::{Entry, lead_on, remembered_name};
use super::gate::{Choice, Closed, choices, is_same, mark, read_until, values};
use super::layout::Layout;
use super::page::{filters, render};
use super::registry::Outcome;
use super::row::Row;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::schedule::board::{Board, BoardLocation, BoardWaiter};
use crate::http::error::ApiError;
use crate::http::remarks;
use crate::http::request::form::Form;
use crate::http::request::setting::{decoded, named, read_capacity, read_gate};
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
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    layout: Layout,
) -> Result<Response, ApiError> {
    one(&registry, &decoded(path)?, query.as_deref(), &headers, layout).await
}

/// As [`location`], behind a proxy that decodes the `%2F` of a name.
pub async fn location_with_slash(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    layout: Layout,
) -> Result<Response, ApiError> {
    let (name, rest) = decoded(path)?;
    one(&registry, &format!("{name}/{rest}"), query.as_deref(), &headers, layout).await
}

async fn one(
    registry: &Registry,
    text: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    layout: Layout,
) -> Result<Response, ApiError> {
    let known = find(registry, text, &layout).await?;
    let entry = first_entry(&known, headers, &layout);
    let status = if known.unknown.is_some() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    Ok((status, show(&known, entry, Outcome::of_query(query), layout)).into_response())
}

pub async fn set_location(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    layout: Layout,
    form: Form,
) -> Result<Response, ApiError> {
    set(&registry, &decoded(path)?, &headers, layout, form).await
}

/// As [`set_location`], behind a proxy that decodes the `%2F` of a name.
pub async fn set_location_with_slash(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    layout: Layout,
    form: Form,
) -> Result<Response, ApiError> {
    let (name, rest) = decoded(path)?;
    set(&registry, &format!("{name}/{rest}"), &headers, layout, form).await
}

/// Sets what was changed in the form as `PUT /locations/{name}` does, if the location still is as the form showed it.
async fn set(
    registry: &Registry,
    text: &str,
    headers: &HeaderMap,
    layout: Layout,
    form: Form,
) -> Result<Response, ApiError> {
    let known = find(registry, text, &layout).await?;
    let before = &known.location;
    let entry = first_entry(&known, headers, &layout);
    let mut fields = form.fields()?;
    let capacity = read_capacity(&mut fields);
    if capacity.is_none() {
        fields.reject("capacity", "is required");
    }
    let by = fields.required_text("by");
    let gate = read_gate(&mut fields, Some(by.clone()), |fields| read_until(fields, &before.gate, &layout));
    let shown = fields.string("shown");
    fields.reject_rest();
    match fields.finish(Some(())) {
        Err(ApiError::Invalid(errors)) if entry.can_show(&errors) => {
            let page = show(&known, entry.typed(&form, errors), Outcome::None, layout);
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
        checked => checked?,
    }
    if shown.is_some_and(|shown| shown != mark(Some(before.capacity), &before.gate)) {
        let page = show(&known, entry.typed(&form, Vec::new()), Outcome::ChangedMeanwhile, layout);
        return Ok((StatusCode::CONFLICT, page).into_response());
    }
    let capacity = capacity.filter(|capacity| *capacity != before.capacity || known.unknown.is_some());
    let gate = gate.filter(|gate| !is_same(gate, &before.gate));
    let is_changed = capacity.is_some() || gate.is_some();
    if is_changed {
        registry.set_location(known.name, capacity, gate, Some(by.clone())).await?;
    }
    // A query alone keeps the path as the browser has it, which a proxy may have decoded.
    Ok(lead_on(&format!("?{}", Outcome::query(is_changed)), &by))
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

fn first_entry(known: &Known, headers: &HeaderMap, layout: &Layout) -> Entry {
    let Location { capacity, gate, .. } = &known.location;
    let mut values = values(gate, &layout.zone);
    values.extend([
        ("capacity", capacity.to_string()),
        ("by", remembered_name(headers)),
        ("shown", mark(Some(*capacity), gate)),
    ]);
    Entry::new(values)
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
        closed: Closed::of(&location.gate, &layout),
        registry_closed: registry.and_then(|board| Closed::of(&board.registry, &layout)),
        more_rows: is_more_than_shown(location.running),
        more_waiters: is_more_than_shown(location.waiting),
        rows: here.map(running).unwrap_or_default(),
        waiters: here.map(waiting).unwrap_or_default(),
        choices: choices(location.running, location.leased),
        entry: entry.with("shown", &mark(Some(location.capacity), &location.gate)),
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
