//! `GET /`: is there room for me, who holds it, when is my turn, what became of my run.

mod card;
mod question;
mod run;

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use self::card::{Card, OtherLocation, Start};
use self::question::Asked;
use self::run::RunRow;
use super::gate::Closed;
use super::layout::{Layout, Section};
use super::page::{draw, filters};
use super::renderings::Renderings;
use super::row::Row;
use crate::domain::capacity::location::Location;
use crate::domain::schedule::board::{Board, BoardLocation};
use crate::http::error::ApiError;
use crate::present::zone::ShownTime;
use crate::registry::Registry;

const MOST_ENDED: usize = 12;
/// No page for people is larger.
const LARGEST_PAGE_BYTES: usize = 150_000;

/// How much is shown; the history has the rest.
#[derive(Clone, Copy)]
pub struct Most {
    /// Locations with a card of their own. The others are rows of a table.
    cards: usize,
    /// Runs in the bar of a location.
    boxes: usize,
    /// Runs listed on a card.
    holders: usize,
    /// Waiters on a card.
    waiters: usize,
    /// Runs in the table.
    runs: usize,
    /// Locations in the table of the others.
    others: usize,
}

impl Most {
    const USUAL: Self = Self { cards: 12, boxes: 12, holders: 5, waiters: 5, runs: 40, others: 60 };

    fn halved(self) -> Self {
        let Self { cards, boxes, holders, waiters, runs, others } = self;
        Self {
            cards: cards.div_ceil(2),
            boxes: boxes / 2,
            holders: holders.div_ceil(2),
            waiters: waiters.div_ceil(2),
            runs: runs / 2,
            others: others / 2,
        }
    }
}

#[derive(Template)]
#[template(path = "now.html")]
struct NowPage<'page> {
    layout: &'page Layout,
    /// Why nothing starts anywhere, if nothing does.
    closed: Option<Closed>,
    running: i64,
    waiting: i64,
    /// At how many locations something runs.
    places: usize,
    next: Option<Next<'page>>,
    asked: &'page Asked,
    cards: Vec<Card>,
    others: Vec<OtherLocation>,
    /// How many locations are left out.
    more_locations: usize,
    runs: Vec<RunRow>,
    ended: &'page [Row],
}

/// The waiter that will probably start before all others.
struct Next<'page> {
    run_id: i64,
    test: &'page str,
    location: String,
    start: ShownTime,
}

pub async fn now(
    State(registry): State<Arc<Registry>>,
    State(renderings): State<Renderings>,
    RawQuery(query): RawQuery,
    layout: Layout,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked = Asked::read(query.as_deref());
    let typed = vec![asked.factor.clone(), asked.minutes.clone()];
    let key = ("now", layout.zone_key(), typed);
    let draw = async move { now_page(&registry, &asked, layout.of(Section::Now).at_present()).await };
    renderings.share(key, &headers, draw).await
}

async fn now_page(registry: &Registry, asked: &Asked, layout: Layout) -> Result<String, ApiError> {
    let board = registry.board(None, layout.now).await?;
    let ended = registry.ended_last(MOST_ENDED).await?;
    let ended: Vec<Row> = ended.iter().map(|run| Row::new(run, &layout)).collect();
    let mut most = Most::USUAL;
    let mut page = draw(&NowPage::new(&layout, &board, asked, &ended, most))?;
    // Only names of hundreds of characters lead here.
    while page.len() > LARGEST_PAGE_BYTES && most.cards > 1 {
        most = most.halved();
        page = draw(&NowPage::new(&layout, &board, asked, &ended, most))?;
    }
    Ok(page)
}

impl<'page> NowPage<'page> {
    fn new(layout: &'page Layout, board: &'page Board, asked: &'page Asked, ended: &'page [Row], most: Most) -> Self {
        let count = |count: fn(&Location) -> i64| board.locations.iter().map(|here| count(&here.location)).sum();
        let bound_with_runs =
            board.locations.iter().filter(|here| here.location.name.is_some() && here.location.running > 0);
        let bound = board.locations.iter().filter(|here| here.location.name.is_some() || !here.queue.is_empty());
        let (with_card, others) = shared_out(bound.collect(), most.cards);
        let more_locations = others.len().saturating_sub(most.others);
        let runs = board.locations.iter().flat_map(|here| &here.running).take(most.runs);
        Self {
            layout,
            closed: Closed::of(Closed::REGISTRY, &board.registry, layout),
            running: count(|location| location.running),
            waiting: count(|location| location.waiting),
            places: bound_with_runs.count(),
            next: next(board, layout),
            asked,
            cards: with_card.into_iter().map(|here| Card::new(here, board, asked, layout, most)).collect(),
            others: others
                .into_iter()
                .take(most.others)
                .map(|here| OtherLocation::new(here, board, asked, layout))
                .collect(),
            more_locations,
            runs: runs.map(|run| RunRow::new(run, layout)).collect(),
            ended,
        }
    }

    fn more_runs(&self) -> bool {
        usize::try_from(self.running).is_ok_and(|running| running > self.runs.len())
    }
}

/// Those with a card, and the others, both in their order: where something happens comes before where nothing does.
fn shared_out(locations: Vec<&BoardLocation>, most: usize) -> (Vec<&BoardLocation>, Vec<&BoardLocation>) {
    let is_busy = |here: &BoardLocation| here.location.running + here.location.waiting > 0 || !here.gate.is_open();
    let busy = locations.iter().filter(|here| is_busy(here)).count();
    let (mut rooms, mut idle_rooms) = (most, most.saturating_sub(busy));
    locations.into_iter().partition(|here| {
        let room = if is_busy(here) { &mut rooms } else { &mut idle_rooms };
        let has_room = *room > 0;
        *room = room.saturating_sub(1);
        has_room
    })
}

fn next<'board>(board: &'board Board, layout: &Layout) -> Option<Next<'board>> {
    let waiters = board.locations.iter().flat_map(|here| here.queue.iter().map(move |waiter| (here, waiter)));
    let starts = waiters.filter_map(|(here, waiter)| Some((waiter.estimated_start?, &waiter.execution, here)));
    let (start, run, here) = starts.min_by_key(|(start, run, _)| (*start, run.run_id))?;
    Some(Next {
        run_id: run.run_id.0,
        test: &run.details.test,
        location: here.location.name.as_ref().map_or_else(|| "no location".to_owned(), ToString::to_string),
        start: layout.time(start),
    })
}
