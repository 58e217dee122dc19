//! `GET /status-html`: what runs now, and how full each location is.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::error::PageError;
use super::page::{Row, render};
use crate::clock;
use crate::domain::execution::Status;
use crate::domain::history::Filter;
use crate::domain::location::Location;
use crate::registry::Registry;

/// More rows than that nobody reads; the history has them all.
const MOST_ROWS: usize = 200;

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    page: &'static str,
    locations: Vec<LocationRow>,
    rows: Vec<Row>,
    more: bool,
}

struct LocationRow {
    name: String,
    capacity: String,
    used: String,
    available: String,
    running: i64,
    /// How much of the capacity is in use, from 0 to 100.
    percent: i64,
}

/// The running tests, as a page.
#[utoipa::path(
    get, path = "/status-html", operation_id = "show_running_executions", tag = "pages",
    responses((status = 200, body = String, content_type = "text/html")),
)]
pub async fn status_html(State(registry): State<Arc<Registry>>) -> Result<Response, PageError> {
    let running = Filter { status: Some(Status::Running), ..Filter::default() };
    let (page, locations) = tokio::join!(registry.executions(&running, None, MOST_ROWS), registry.locations());
    let (page, now) = (page?, clock::now());
    Ok(render(&StatusPage {
        page: "status",
        locations: locations?.iter().map(location_row).collect(),
        rows: page.executions.iter().map(|execution| Row::new(execution, now)).collect(),
        more: page.next.is_some(),
    }))
}

fn location_row(location: &Location) -> LocationRow {
    let used_millionths = location.used.millionths().saturating_mul(100);
    LocationRow {
        name: location.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        capacity: location.capacity.to_string(),
        used: location.used.to_string(),
        available: location.available().to_string(),
        running: location.running,
        percent: (used_millionths / location.capacity.millionths().max(1)).clamp(0, 100),
    }
}
