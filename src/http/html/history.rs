//! `GET /history-html` and `GET /history-html-filter`: everything that ran, a page at a time.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use url::form_urlencoded;

use super::layout::{Layout, Section};
use super::page::{filters, render};
use super::row::Row;
use crate::domain::execution::Status;
use crate::http::error::ApiError;
use crate::http::history_query::{ListQuery, query_pairs, query_value, read_history_query};
use crate::registry::Registry;
use crate::wire::history::HistoryQuery;

const ROWS_PER_PAGE: usize = 100;

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    layout: Layout,
    rows: Vec<Row>,
    stream: String,
    location: String,
    status: String,
    statuses: [Status; 5],
    /// Parameters beyond the three of the form, which it hands on.
    others: Vec<(String, String)>,
    is_filtered: bool,
    is_first_page: bool,
    /// The query of the page with the next older executions.
    older: Option<String>,
    /// The query of the first page.
    newest: String,
}

/// The whole history, as pages of 100.
#[utoipa::path(
    get, path = "/history-html", operation_id = "show_executions", tag = "pages",
    params(HistoryQuery),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub async fn history_html(
    State(registry): State<Arc<Registry>>,
    RawQuery(query): RawQuery,
    layout: Layout,
) -> Result<Response, ApiError> {
    show(&registry, query.as_deref(), layout).await
}

/// The history of the streams that match, as pages of 100.
#[utoipa::path(
    get, path = "/history-html-filter", operation_id = "show_matching_executions", tag = "pages",
    params(HistoryQuery),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub async fn history_html_filter(
    State(registry): State<Arc<Registry>>,
    RawQuery(query): RawQuery,
    layout: Layout,
) -> Result<Response, ApiError> {
    show(&registry, query.as_deref(), layout).await
}

async fn show(registry: &Registry, query: Option<&str>, layout: Layout) -> Result<Response, ApiError> {
    let ListQuery { filter, limit, after } = read_history_query(query).map_err(ApiError::Invalid)?;
    let page = registry.executions(&filter, after, limit.unwrap_or(ROWS_PER_PAGE).min(ROWS_PER_PAGE)).await?;
    let value = |name| query_value(query, name).unwrap_or_default();
    let others = pairs_except(query, &["stream", "location", "status", "cursor"]);
    let kept = pairs_except(query, &["cursor"]);
    Ok(render(&HistoryPage {
        rows: page.executions.iter().map(|execution| Row::new(execution, &layout)).collect(),
        stream: value("stream"),
        location: value("location"),
        status: value("status"),
        statuses: Status::ALL,
        is_filtered: !kept.is_empty(),
        is_first_page: after.is_none(),
        older: page.next.map(|next| encode(&kept, Some(next.to_string()))),
        newest: encode(&kept, None),
        others,
        layout: layout.of(Section::History),
    }))
}

fn pairs_except(query: Option<&str>, left_out: &[&str]) -> Vec<(String, String)> {
    query_pairs(query).filter(|(name, _)| !left_out.contains(&name.as_str())).collect()
}

fn encode(pairs: &[(String, String)], cursor: Option<String>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs).extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
    query.finish()
}
