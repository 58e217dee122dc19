//! `POST /cancel`: withdraws a running test, or all at a location that started before some time.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::cancel_before::{BESIDE_RUN_ID, cancel_before, first_in_query, is_asked_for, reject_beside_run_id};
use super::complete::completed;
use crate::domain::execution::NotARunId;
use crate::http::error::ApiError;
use crate::http::history_query::{check_once, query_value};
use crate::http::request::body::OptionalJsonObject;
use crate::registry::{Cancellation, Registry};
use crate::wire::cancel::{CancelAnswer, CancelBody};
use crate::wire::complete::{CompleteConflict, CompleteResponse};
use crate::wire::problem::Problem;

/// Cancels a test, or all at a location that started before some time.
///
/// Name one test by `run_id`, in the query or in the body; or give `started_before`, and `location` or `without_location`, in
/// the body. Saying the same again is answered the same.
#[utoipa::path(
    post, path = "/cancel", operation_id = "cancel_execution", tag = "executions",
    params(("run_id" = Option<i64>, Query, description = "May stand in the body instead.")),
    request_body(content = Option<CancelBody>, examples(
        ("one" = (summary = "One test", value = json!({"run_id": 7, "reason": "the wrong build", "by": "ana"}))),
        ("several" = (summary = "What would be cancelled of all that started before some time", value = json!({
            "location": "azure-k8s", "started_before": "2026-11-22T14:03:00Z", "dry_run": true,
        }))),
    )),
    responses(
        (status = 200, description = "It is cancelled; or all that were asked for are cancelled or asked to stop.",
         body = CancelAnswer),
        (status = 202, description = "It has a lease and is asked to stop; it holds its share until it has.",
         body = CompleteResponse),
        (status = 404, description = "No test has this run_id.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "It has another outcome.", body = CompleteConflict,
         content_type = "application/problem+json"),
    ),
)]
pub async fn cancel(
    State(registry): State<Arc<Registry>>,
    RawQuery(query): RawQuery,
    OptionalJsonObject(body): OptionalJsonObject,
) -> Result<Response, ApiError> {
    check_once(query.as_deref()).map_err(ApiError::Invalid)?;
    let in_query = query_value(query.as_deref(), "run_id")
        .map(|text| text.parse().map_err(|error: NotARunId| ApiError::invalid("run_id", error.to_string())))
        .transpose()?;
    let names_run = in_query.is_some() || body.as_ref().is_some_and(|fields| fields.has("run_id"));
    if let Some(name) = first_in_query(query.as_deref()).filter(|_| names_run) {
        return Err(ApiError::invalid(name, BESIDE_RUN_ID));
    }
    let mut cancellation = Cancellation::default();
    let run_id = match (in_query, body) {
        (Some(run_id), None) => run_id,
        (None, Some(fields)) if is_asked_for(&fields) => {
            // Not even one that is empty: it may be a run_id that a pipeline has lost.
            return match query.filter(|query| !query.is_empty()) {
                Some(_) => Err(ApiError::invalid("body", "must come without a query where it names no run_id")),
                None => cancel_before(&registry, fields).await,
            };
        }
        (in_query, Some(mut fields)) => {
            let is_in_body = in_query.is_none() || fields.has("run_id");
            let run_id = if is_in_body { fields.required_run_id("run_id") } else { in_query };
            if in_query.is_some() && in_query != run_id {
                fields.reject("run_id", "must be the same in the query and in the body");
            }
            reject_beside_run_id(&mut fields);
            cancellation.reason = fields.optional_text("reason");
            cancellation.by = fields.optional_text("by");
            cancellation.force = fields.optional_bool("force").unwrap_or_default();
            fields.finish(run_id)?
        }
        (None, None) => return Err(nothing_to_cancel(query.as_deref())),
    };
    completed(registry.cancel(run_id, cancellation).await?, "Test cancelled")
}

fn nothing_to_cancel(query: Option<&str>) -> ApiError {
    match first_in_query(query) {
        Some(name) => ApiError::invalid(name, "must stand in a JSON body, not in the query"),
        None => ApiError::invalid("run_id", "is required, in the query or in a JSON body"),
    }
}
