//! `GET /status-html`: what runs now, as one table. The page for people is `/`.

use std::cmp::Reverse;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::layout::{Layout, Section};
use super::page::{draw, filters};
use super::renderings::Renderings;
use super::row::Row;
use crate::domain::execution::Execution;
use crate::http::error::ApiError;
use crate::registry::Registry;

/// The history has the rest.
const MOST_ROWS: usize = 1_000;

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    layout: Layout,
    running: i64,
    rows: Vec<Row>,
    more: bool,
}

/// The running tests as one table, up to 1,000 of them.
#[utoipa::path(
    get, path = "/status-html", operation_id = "show_running_executions", tag = "pages",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub async fn status_html(
    State(registry): State<Arc<Registry>>,
    State(renderings): State<Renderings>,
    layout: Layout,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let key = ("status", layout.zone_key(), Vec::new());
    let draw = async move { status_page(&registry, layout.of(Section::Now).at_present()).await };
    renderings.share(key, &headers, draw).await
}

async fn status_page(registry: &Registry, layout: Layout) -> Result<String, ApiError> {
    let board = registry.board(None, layout.now).await?;
    let mut runs: Vec<&Execution> =
        board.locations.iter().flat_map(|here| &here.running).map(|run| &run.execution).collect();
    runs.sort_by_key(|run| Reverse((run.start_time, run.run_id)));
    let running = board.locations.iter().map(|here| here.location.running).sum();
    let rows: Vec<Row> = runs.iter().take(MOST_ROWS).map(|run| Row::new(run, &layout)).collect();
    let more = usize::try_from(running).is_ok_and(|running| running > rows.len());
    draw(&StatusPage { layout, running, rows, more })
}
