//! `GET /history`: everything that ran.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

use super::stream::stream_list;
use crate::clock;
use crate::http::error::ApiError;
use crate::http::history_query::read_history_query;
use crate::present::execution::to_wire;
use crate::registry::Registry;
use crate::wire::history::{HistoryQuery, HistoryResponse};

/// Lists executions, newest first.
///
/// Without `limit`, all that match.
#[utoipa::path(
    get, path = "/history", operation_id = "list_executions", tag = "executions",
    params(HistoryQuery),
    responses((status = 200, description = "Those that match.", body = HistoryResponse)),
)]
pub async fn history(State(registry): State<Arc<Registry>>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = read_history_query(query.as_deref()).map_err(ApiError::Invalid)?;
    let Some(limit) = query.limit else {
        return stream_list("executions", registry.all_executions(query.filter, query.after), "],\"next\":null}").await;
    };
    let page = registry.executions(&query.filter, query.after, limit).await?;
    let now = clock::now();
    Ok(Json(HistoryResponse {
        executions: page.executions.iter().map(|execution| to_wire(execution, now)).collect(),
        next: page.next.map(|next| next.to_string()),
    })
    .into_response())
}
