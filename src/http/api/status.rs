//! `GET /status`: what runs now.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::stream::stream_list;
use crate::domain::execution::Status;
use crate::domain::history::Filter;
use crate::http::error::ApiError;
use crate::registry::Registry;
use crate::wire::status::StatusResponse;

/// All running tests, newest first.
#[utoipa::path(
    get, path = "/status", operation_id = "list_running_executions", tag = "executions",
    responses((status = 200, description = "What runs.", body = StatusResponse)),
)]
pub async fn status(State(registry): State<Arc<Registry>>) -> Result<Response, ApiError> {
    let running = Filter { status: Some(Status::Running), ..Filter::default() };
    stream_list("running", registry.all_executions(running, None), "]}").await
}
