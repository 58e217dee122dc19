//! `GET /board`: what runs and waits where.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};

use crate::clock;
use crate::domain::capacity::location::LocationName;
use crate::http::error::ApiError;
use crate::http::history_query::{check_known, query_value};
use crate::http::request::fields::location_name;
use crate::present::board::to_wire;
use crate::present::location::not_there;
use crate::registry::Registry;
use crate::wire::board::{Board, BoardQuery, MOST_SHOWN};
use crate::wire::problem::Problem;

/// How many runs and waiters of each location are shown unless the request says so.
const USUAL_LIMIT: u32 = 100;

/// What runs and waits at each location now.
///
/// Runs and waiters stand in the order in which they start, waiters with the expected starts.
#[utoipa::path(
    get, path = "/board", operation_id = "show_board", tag = "executions",
    params(BoardQuery),
    responses(
        (status = 200, description = "The board.", body = Board),
        (status = 404, description = "There is no such location; the one closest to it is named.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn board(State(registry): State<Arc<Registry>>, RawQuery(query): RawQuery) -> Result<Json<Board>, ApiError> {
    let (location, limit) = read_query(query.as_deref())?;
    let board = registry.board(location.as_ref(), clock::now()).await?;
    if let Some(name) = location.filter(|_| board.locations.is_empty())
        && let Some(new) = registry.notice_location(&name).await?
    {
        return Err(ApiError::NotFound(not_there(&new)));
    }
    Ok(Json(to_wire(board, limit as usize)))
}

fn read_query(query: Option<&str>) -> Result<(Option<LocationName>, u32), ApiError> {
    check_known(query, &["location", "limit"]).map_err(ApiError::Invalid)?;
    let location = query_value(query, "location").map(|text| location_name(&text)).transpose();
    let location = location.map_err(|message| ApiError::invalid("location", message))?;
    let limit = query_value(query, "limit").map_or(Some(USUAL_LIMIT), |text| text.parse().ok());
    let wrong = || ApiError::invalid("limit", format!("must be a whole number from 0 to {MOST_SHOWN}"));
    Ok((location, limit.filter(|limit| *limit <= MOST_SHOWN).ok_or_else(wrong)?))
}
