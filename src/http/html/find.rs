//! `GET /find?q=`: the box at the top of every page.

use axum::extract::RawQuery;
use axum::response::Redirect;
use url::form_urlencoded;

use crate::http::history_query::query_value;

/// A number leads to the run, and a text to the tests whose name has it.
pub async fn find(RawQuery(query): RawQuery) -> Redirect {
    let sought = query_value(query.as_deref(), "q").unwrap_or_default();
    let sought = sought.trim();
    if sought.is_empty() {
        return Redirect::to("history-html");
    }
    if let Ok(run_id) = sought.trim_start_matches('#').parse::<u64>() {
        return Redirect::to(&format!("runs/{run_id}"));
    }
    let pattern = format!("%{sought}%");
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("test", &pattern).finish();
    Redirect::to(&format!("history-html-filter?{query}"))
}
