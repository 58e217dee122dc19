//! `/registry` for browsers: the gate of the whole registry, and the locations.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use url::form_urlencoded;

use super::entry::{Browser, Entry, Outcome};
use super::gate::{Choice, Closed, choices};
use super::layout::{Layout, Section};
use super::page::{filters, render};
use super::setting::Setting;
use crate::domain::capacity::location::LocationName;
use crate::domain::schedule::board::{Board, BoardLocation};
use crate::http::error::ApiError;
use crate::http::history_query::query_value;
use crate::http::request::form::Form;
use crate::registry::Registry;

/// The others are on the next page.
const MOST_ROWS: usize = 100;
/// What an outcome calls it.
const ABOUT: &str = "registry";

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
    /// What the names shown have in common.
    part: String,
    is_first: bool,
    /// The way to the next of them, and how many they are.
    next: Option<String>,
    more: usize,
    choices: [Choice; 3],
    entry: Entry,
    outcome: Outcome,
    now: String,
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
    browser: Browser,
    layout: Layout,
) -> Result<Response, ApiError> {
    let board = registry.board(None, layout.now).await?;
    let entry = setting(&board).entry(&browser, &layout);
    let page = show(&board, &Listing::of_query(query.as_deref()), entry, browser.outcome(ABOUT), layout);
    Ok(browser.told(page))
}

/// `GET /locations` for browsers: they are listed on the registry's page.
pub async fn locations(layout: Layout) -> Redirect {
    Redirect::to(&format!("{}registry", layout.root))
}

/// Sets it as `PUT /registry` does, if it still is as the form showed it.
pub async fn set_registry(
    State(registry): State<Arc<Registry>>,
    browser: Browser,
    layout: Layout,
    form: Form,
) -> Result<Response, ApiError> {
    let board = registry.board(None, layout.now).await?;
    let entry = setting(&board).entry(&browser, &layout);
    let change = match setting(&board).read(&form, entry, &layout)? {
        Ok(change) => change,
        Err(again) => {
            let page = show(&board, &Listing::default(), again.entry, again.outcome, layout);
            return Ok((again.status, page).into_response());
        }
    };
    let outcome = if let Some(gate) = change.gate {
        registry.set_gate(gate).await?;
        Outcome::Saved
    } else {
        Outcome::Unchanged
    };
    Ok(browser.lead_on(&change.by, outcome, ABOUT))
}

fn setting(board: &Board) -> Setting<'_> {
    Setting { capacity: None, gate: &board.registry }
}

/// Which of the locations are asked for.
#[derive(Default)]
struct Listing {
    /// A part of their names, in whatever case.
    part: String,
    /// The name before the first of them.
    after: String,
}

impl Listing {
    fn of_query(query: Option<&str>) -> Self {
        let value = |name| query_value(query, name).unwrap_or_default();
        Self { part: value("name").trim().to_lowercase(), after: value("after") }
    }

    fn has(&self, name: &str) -> bool {
        name > self.after.as_str() && name.to_lowercase().contains(&self.part)
    }

    /// The way to those that come after this one.
    fn way_after(&self, name: &str) -> String {
        let mut query = form_urlencoded::Serializer::new("registry?".to_owned());
        if !self.part.is_empty() {
            query.append_pair("name", &self.part);
        }
        query.append_pair("after", name).finish()
    }
}

fn show(board: &Board, listing: &Listing, entry: Entry, outcome: Outcome, layout: Layout) -> Response {
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
    let mut asked = named().filter(|(name, _)| listing.has(name.as_str())).collect::<Vec<_>>();
    asked.sort_unstable_by_key(|(name, _)| name.as_str());
    let shown = asked.iter().take(MOST_ROWS);
    let last = asked.get(MOST_ROWS - 1).filter(|_| asked.len() > MOST_ROWS);
    render(&RegistryPage {
        state: board.registry.state.as_str(),
        closed: Closed::of(Closed::REGISTRY, &board.registry, &layout),
        count: named().count(),
        running,
        leased,
        waiting: sum(|here| here.location.waiting),
        locations: shown.copied().map(row).collect(),
        part: listing.part.clone(),
        is_first: listing.after.is_empty(),
        next: last.map(|(name, _)| listing.way_after(name.as_str())),
        more: asked.len().saturating_sub(MOST_ROWS),
        choices: choices(running, leased),
        entry: entry.with("shown", &setting(board).mark()),
        outcome,
        now: format!("The registry is {} now.", board.registry.state.as_str()),
        layout: layout.of(Section::Registry),
    })
}
