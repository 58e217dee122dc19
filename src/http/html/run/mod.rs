//! `GET /runs/{run_id}`: what became of a run, beside whom it ran, and how long such runs take.

mod beside;
mod details;
mod durations;
mod head;
mod missing;
mod story;
mod waiting;

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use tokio::try_join;
use url::form_urlencoded;

use super::layout::Layout;
use super::page::{filters, render};
use crate::domain::capacity::location::Location;
use crate::domain::event::EventKind;
use crate::domain::execution::{Execution, RunId, Status};
use crate::domain::schedule::board::{BoardLocation, BoardWaiter};
use crate::domain::schedule::earlier::usual_seconds;
use crate::domain::schedule::estimate::expected_end;
use crate::http::error::ApiError;
use crate::present::event::capacity;
use crate::present::extra::{Extra, Value, shown};
use crate::present::run::{Outlook, description, headline};
use crate::present::text::visible;
use crate::registry::{Registry, RegistryError, Story};
use beside::Beside;
use details::Details;
use durations::Durations;
use head::Head;
use missing::no_such_run;
use story::Told;
use waiting::Waiting;

/// So many of its first events are shown, and of its last.
const FIRST_EVENTS: usize = 5;
const LAST_EVENTS: usize = 20;

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    layout: Layout,
    run_id: i64,
    title: String,
    description: String,
    /// Which events make an open page of it fetch itself again.
    followed: String,
    head: Head,
    /// What is in its way, while it waits.
    waiting: Option<Waiting>,
    /// None for one that never ran.
    beside: Option<Beside>,
    story: Told,
    durations: Durations,
    details: Details,
    extra: Extra,
}

/// Whoever has the link asks for a page, whatever else they would take.
pub async fn run(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    layout: Layout,
) -> Result<Response, ApiError> {
    let run_id = path.ok().and_then(|Path(text)| text.parse::<RunId>().ok());
    let run = match run_id {
        Some(run_id) => registry.execution(run_id).await?,
        None => None,
    };
    match run {
        Some(run) => Ok(render(&page(&registry, &run, layout).await?)),
        None => no_such_run(&registry, layout).await,
    }
}

async fn page(registry: &Registry, run: &Execution, layout: Layout) -> Result<RunPage, RegistryError> {
    let now = layout.now;
    let (around, neighbours, story, earlier) = try_join!(
        Around::read(registry, run, &layout),
        registry.neighbours(run, now),
        registry.story(run.run_id, FIRST_EVENTS, LAST_EVENTS),
        registry.earlier(run),
    )?;
    let outlook = around.outlook(run, &layout);
    let capacity = around.capacity.or_else(|| capacity_at_start(&story));
    let usual = usual_seconds(&earlier);
    let has_started = run.status != Status::Queued && run.has_started();
    Ok(RunPage {
        run_id: run.run_id.0,
        title: visible(&headline(run, outlook, &layout.zone, now)).into_owned(),
        description: visible(&description(run, &layout.zone, now)).into_owned(),
        followed: followed(run),
        head: Head::new(run, outlook, capacity, usual, &layout),
        waiting: around.turn.as_ref().map(|(here, waiter)| Waiting::new(here, waiter, &layout)),
        beside: has_started.then(|| Beside::new(run, &neighbours, &layout)),
        story: Told::new(run, &story, &layout),
        durations: Durations::new(run, &earlier, usual, &layout),
        details: Details::new(run, &layout),
        extra: shown(&run.details.extra, run.is_adopted()),
        layout,
    })
}

/// Until it has ended, what happens to others where it waits or runs matters to it as well.
fn followed(run: &Execution) -> String {
    let location = run.details.location.as_ref().filter(|_| !matches!(run.status, Status::Ended(_)));
    let (name, value) = match location {
        Some(location) => ("location", location.to_string()),
        None => ("run_id", run.run_id.to_string()),
    };
    form_urlencoded::Serializer::new(String::new()).append_pair(name, &value).finish()
}

/// What is at its location now, as far as it matters to the run.
struct Around {
    /// Of one that has not ended.
    capacity: Option<String>,
    /// Where it waits, and its place there.
    turn: Option<(BoardLocation, BoardWaiter)>,
}

impl Around {
    async fn read(registry: &Registry, run: &Execution, layout: &Layout) -> Result<Self, RegistryError> {
        let name = run.details.location.as_ref();
        let capacity = |location: &Location| location.name.is_some().then(|| location.capacity.to_string());
        match (run.status, name) {
            (Status::Queued, name) => {
                let board = registry.board(name, layout.now).await?;
                let here = board.locations.into_iter().find(|here| here.location.name.as_ref() == name);
                let turn = here.and_then(|here| {
                    let waiter = here.queue.iter().find(|waiter| waiter.execution.run_id == run.run_id).cloned()?;
                    Some((here, waiter))
                });
                Ok(Self { capacity: turn.as_ref().and_then(|(here, _)| capacity(&here.location)), turn })
            }
            (Status::Running, Some(name)) => {
                let location = registry.location(name).await?;
                Ok(Self { capacity: location.as_ref().and_then(capacity), turn: None })
            }
            _ => Ok(Self { capacity: None, turn: None }),
        }
    }

    fn outlook(&self, run: &Execution, layout: &Layout) -> Outlook {
        let waiter = self.turn.as_ref().map(|(_, waiter)| waiter);
        // Of one that is overdue nobody knows.
        let is_on_time = run.status == Status::Running && !run.is_overdue(layout.now);
        let expected = run.expected_seconds.filter(|_| is_on_time);
        Outlook {
            expected_end: expected.map(|seconds| expected_end(run.start_time, seconds, layout.now)),
            position: waiter.and_then(|waiter| waiter.position),
            estimated_start: waiter.and_then(|waiter| waiter.estimated_start),
        }
    }
}

/// What the capacity was when it started, if that is still known.
fn capacity_at_start(story: &Story) -> Option<String> {
    let started = EventKind::Started.as_str();
    story.first.iter().chain(&story.last).rev().find(|event| event.kind == started).and_then(capacity)
}
