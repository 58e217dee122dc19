//! `/registry` for browsers: the gate of the whole registry, and the locations.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::entry::{Entry, lead_on, remembered_name};
use super::gate::{Choice, Closed, choices, is_same, mark, read_until, values};
use super::layout::{Layout, Section};
use super::page::{filters, render};
use crate::domain::capacity::location::LocationName;
use crate::domain::gate::Gate;
use crate::domain::schedule::board::{Board, BoardLocation};
use crate::http::error::ApiError;
use crate::http::request::form::Form;
use crate::http::request::setting::read_gate;
use crate::registry::Registry;

/// More rows than that nobody reads; each location has a page of its own.
const MOST_ROWS: usize = 500;

#[derive(Template)]
#[template(path = "registry.html")]
struct RegistryPage {
    layout: Layout,
    state: &'static str,
    closed: Option<Closed>,
    count: usize,
    running: i64,
    leased: i64,
    waiting: i64,
    locations: Vec<LocationRow>,
    more: bool,
    choices: [Choice; 3],
    entry: Entry,
    outcome: Outcome,
    now: String,
}

/// What came of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not sent.
    None,
    Saved,
    /// It said what was so already.
    Unchanged,
    /// What it is about was changed by somebody else.
    ChangedMeanwhile,
}

impl Outcome {
    /// As the page says that comes after the form.
    pub fn of_query(query: Option<&str>) -> Self {
        match query {
            Some("saved") => Self::Saved,
            Some("unchanged") => Self::Unchanged,
            _ => Self::None,
        }
    }

    /// The query of that page.
    pub const fn query(is_changed: bool) -> &'static str {
        if is_changed { "saved" } else { "unchanged" }
    }
}

struct LocationRow {
    name: String,
    /// The way to its page.
    page: String,
    capacity: String,
    free: String,
    running: i64,
    waiting: i64,
    /// The location's own.
    state: &'static str,
}

pub async fn registry(
    State(registry): State<Arc<Registry>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    layout: Layout,
) -> Result<Response, ApiError> {
    let board = registry.board(None, layout.now).await?;
    let entry = first_entry(&board.registry, &headers, &layout);
    Ok(show(&board, entry, Outcome::of_query(query.as_deref()), layout))
}

/// Sets it as `PUT /registry` does, if it still is as the form showed it.
pub async fn set_registry(
    State(registry): State<Arc<Registry>>,
    headers: HeaderMap,
    layout: Layout,
    form: Form,
) -> Result<Response, ApiError> {
    let board = registry.board(None, layout.now).await?;
    let before = &board.registry;
    let entry = first_entry(before, &headers, &layout);
    let mut fields = form.fields()?;
    let by = fields.required_text("by");
    let gate = read_gate(&mut fields, Some(by.clone()), |fields| read_until(fields, before, &layout));
    if gate.is_none() {
        fields.reject("state", "is required");
    }
    let shown = fields.string("shown");
    fields.reject_rest();
    let gate = match fields.finish(gate) {
        Err(ApiError::Invalid(errors)) if entry.can_show(&errors) => {
            let page = show(&board, entry.typed(&form, errors), Outcome::None, layout);
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
        read => read?,
    };
    if shown.is_some_and(|shown| shown != mark(None, before)) {
        let page = show(&board, entry.typed(&form, Vec::new()), Outcome::ChangedMeanwhile, layout);
        return Ok((StatusCode::CONFLICT, page).into_response());
    }
    let is_changed = !is_same(&gate, before);
    if is_changed {
        registry.set_gate(gate).await?;
    }
    Ok(lead_on(&format!("registry?{}", Outcome::query(is_changed)), &by))
}

fn first_entry(gate: &Gate, headers: &HeaderMap, layout: &Layout) -> Entry {
    let mut values = values(gate, &layout.zone);
    values.extend([("by", remembered_name(headers)), ("shown", mark(None, gate))]);
    Entry::new(values)
}

fn show(board: &Board, entry: Entry, outcome: Outcome, layout: Layout) -> Response {
    let sum = |count: fn(&BoardLocation) -> i64| board.locations.iter().map(count).sum::<i64>();
    let (running, leased) = (sum(|here| here.location.running), sum(|here| here.location.leased));
    let named = || board.locations.iter().filter_map(|here| Some((here.location.name.as_ref()?, here)));
    let row = |(name, here): (&LocationName, &BoardLocation)| LocationRow {
        name: name.to_string(),
        page: layout.location(name.as_str()),
        capacity: here.location.capacity.to_string(),
        free: here.location.available().to_string(),
        running: here.location.running,
        waiting: here.location.waiting,
        state: here.location.gate.at(layout.now).state.as_str(),
    };
    render(&RegistryPage {
        state: board.registry.state.as_str(),
        closed: Closed::of(&board.registry, &layout),
        count: named().count(),
        running,
        leased,
        waiting: sum(|here| here.location.waiting),
        locations: named().take(MOST_ROWS).map(row).collect(),
        more: named().count() > MOST_ROWS,
        choices: choices(running, leased),
        entry: entry.with("shown", &mark(None, &board.registry)),
        outcome,
        now: format!("The registry is {} now.", board.registry.state.as_str()),
        layout: layout.of(Section::Registry),
    })
}
