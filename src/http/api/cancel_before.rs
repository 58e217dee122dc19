//! `POST /cancel` with a time instead of a `run_id`: withdraws everything that started before it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use crate::domain::answer::Holder;
use crate::http::error::ApiError;
use crate::http::history_query::time;
use crate::http::request::fields::Fields;
use crate::http::request::setting::named;
use crate::present::decimal;
use crate::present::location::not_there;
use crate::registry::{CancelBefore, CancelledBefore, Registry};
use crate::wire::cancel::{CancelBeforeResponse, CancelledRun};

/// What only this form has.
const FIELDS: [&str; 4] = ["location", "without_location", "started_before", "dry_run"];
/// Somebody who sends a `dry_run` or a time does not mean to cancel a run whatever they say.
pub const BESIDE_RUN_ID: &str =
    "must not stand beside a run_id, which cancels that run alone; leave one of the two out";

/// Whether the body asks for this form; one that names a run asks for that alone.
pub fn is_asked_for(fields: &Fields) -> bool {
    !fields.has("run_id") && FIELDS.iter().any(|name| fields.has(name))
}

/// Notes each field of this form that stands beside a `run_id`.
pub fn reject_beside_run_id(fields: &mut Fields) {
    for name in FIELDS {
        if fields.has(name) {
            fields.reject(name, BESIDE_RUN_ID);
        }
    }
}

/// What of this form is in a query, also without a value, as in `&dry_run`. It is too much to be asked for by a link.
pub fn first_in_query(query: Option<&str>) -> Option<&'static str> {
    let mut names = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).map(|(name, _)| name);
    names.find_map(|name| FIELDS.into_iter().find(|field| *field == name))
}

pub async fn cancel_before(registry: &Registry, fields: Fields) -> Result<Response, ApiError> {
    let cancel = read(registry, fields).await?;
    if let Some(name) = &cancel.location
        && let Some(new) = registry.notice_location(name).await?
    {
        return Err(ApiError::NotFound(not_there(&new)));
    }
    let cancelled = registry.cancel_before(&cancel).await?;
    Ok(Json(to_wire(&cancel, &cancelled)).into_response())
}

async fn read(registry: &Registry, mut fields: Fields) -> Result<CancelBefore, ApiError> {
    let location = match fields.string("location") {
        Some(text) => fields.take_result("location", named(registry, &text).await?),
        None => None,
    };
    let without_location = fields.optional_bool("without_location").unwrap_or_default();
    if location.is_some() == without_location {
        fields.reject("location", "is required, or without_location, and not both");
    }
    let started_before = fields.string("started_before").map_or(Err("is required"), |text| time(&text));
    let started_before = started_before.map_err(|message| fields.reject("started_before", message)).ok();
    let dry_run = fields.optional_bool("dry_run").unwrap_or_default();
    let (reason, by) = (fields.optional_text("reason"), fields.optional_text("by"));
    // A misspelt dry_run must not end anything.
    fields.reject_rest();
    let cancel = started_before.map(|started_before| CancelBefore { location, started_before, reason, by, dry_run });
    fields.finish(cancel)
}

fn to_wire(cancel: &CancelBefore, cancelled: &CancelledBefore) -> CancelBeforeResponse {
    let (ended, stopping) = (cancelled.ended.len(), cancelled.stopping.len());
    let tests = if ended == 1 { "test" } else { "tests" };
    let would_be = if cancel.dry_run { " would be" } else { "" };
    CancelBeforeResponse {
        message: format!("{ended} {tests}{would_be} cancelled, {stopping} asked to stop"),
        dry_run: cancel.dry_run,
        started_before: cancel.started_before,
        ended: cancelled.ended.iter().map(run).collect(),
        stopping: cancelled.stopping.iter().map(run).collect(),
        more: cancelled.more,
    }
}

fn run(holder: &Holder) -> CancelledRun {
    CancelledRun {
        run_id: holder.run_id.0,
        test: holder.test.clone(),
        triggered_by: holder.triggered_by.clone(),
        factor: decimal(holder.factor),
        start_time: holder.start_time,
    }
}
