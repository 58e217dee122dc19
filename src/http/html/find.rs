//! `GET /find?q=`: the box at the top of every page.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Redirect;
use url::form_urlencoded;

use super::layout::Layout;
use crate::domain::capacity::location::LocationName;
use crate::http::error::ApiError;
use crate::http::history_query::query_value;
use crate::registry::Registry;

/// A number, also as `#7` or `run 7`, leads to the run, the name of a location to its page, and any other text to the
/// tests whose name has it.
pub async fn find(
    State(registry): State<Arc<Registry>>,
    RawQuery(query): RawQuery,
    layout: Layout,
) -> Result<Redirect, ApiError> {
    let sought = query_value(query.as_deref(), "q").unwrap_or_default();
    let sought = sought.trim();
    if sought.is_empty() {
        return Ok(Redirect::to("history-html"));
    }
    let number = sought.strip_prefix("run ").or_else(|| sought.strip_prefix("Run ")).unwrap_or(sought);
    if let Ok(run_id) = number.trim_start_matches('#').parse::<u64>() {
        return Ok(Redirect::to(&format!("runs/{run_id}")));
    }
    if registry.location(&LocationName::new(sought)).await?.is_some() {
        return Ok(Redirect::to(&layout.location(sought)));
    }
    let pattern = format!("%{sought}%");
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("test", &pattern).finish();
    Ok(Redirect::to(&format!("history-html-filter?{query}")))
}
