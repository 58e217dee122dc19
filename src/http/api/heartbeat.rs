//! `POST /heartbeat`: keeps a run, or a waiter's place, alive.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use tokio::runtime::Handle;

use super::complete::conflict;
use super::executions::LONGEST_WAIT_SECONDS;
use super::register::page_url;
use crate::clock;
use crate::config::server::PublicUrl;
use crate::domain::answer::Room;
use crate::domain::execution::{Execution, RunId, Status};
use crate::http::error::{ApiError, problem_response};
use crate::http::request::body::JsonObject;
use crate::present::execution::to_wire;
use crate::present::room;
use crate::registry::{Beaten, Registry, RegistryError, Until};
use crate::wire::complete::CompleteConflict;
use crate::wire::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use crate::wire::problem::Problem;

/// Extends a lease, or keeps a place in the queue.
///
/// With `wait_seconds` it answers at the next change.
#[utoipa::path(
    post, path = "/heartbeat", operation_id = "beat_execution", tag = "executions",
    request_body(content = HeartbeatRequest, example = json!({"run_id": 7, "lease_token": "as register told it"})),
    responses(
        (status = 200, description = "It was heard.", body = HeartbeatResponse),
        (status = 403, description = "The lease_token is another.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "No test has this run_id.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "It has ended, whatever its runner thinks.", body = CompleteConflict,
         content_type = "application/problem+json"),
    ),
)]
pub async fn heartbeat(
    State(registry): State<Arc<Registry>>,
    public_url: Option<Extension<PublicUrl>>,
    JsonObject(mut fields): JsonObject,
) -> Result<Response, ApiError> {
    let run_id = fields.required_run_id("run_id");
    let token = fields.required_text("lease_token");
    let receipt = fields.string("receipt");
    let seconds = fields.optional_number("wait_seconds", 0..=LONGEST_WAIT_SECONDS as i64).unwrap_or_default();
    let version = fields.optional_number("version", 0..=i64::MAX);
    let run_id = fields.finish(run_id)?;

    let hold = Duration::from_secs(seconds.unsigned_abs());
    let (mut beaten, call) = first_heartbeat(&registry, run_id, &token, receipt.as_deref(), hold).await?;
    if let Beaten::Alive(execution, _) = &beaten
        && !hold.is_zero()
    {
        let (waits, patience) = (execution.status == Status::Queued, longest_hold(execution).min(hold));
        let until = version.map_or(Until::News(execution.status), Until::NotVersion);
        match registry.watch(run_id, Some(until), patience).await? {
            Some(execution) if execution.end_reason.is_some() => {
                beaten = Beaten::Over(Arc::unwrap_or_clone(execution));
            }
            Some(execution)
                if execution.status != Status::Queued && !(waits && execution.status == Status::Running) =>
            {
                beaten = Beaten::Alive(Arc::unwrap_or_clone(execution), None);
            }
            // A waiter is told its new place, or its start once it is saved that it was told.
            _ => beaten = registry.tell(run_id, &token, receipt.as_deref()).await?,
        }
    }
    if let Some(call) = call {
        call.end();
    }
    Ok(match beaten {
        Beaten::Alive(execution, room) => {
            // Whoever shows it has it.
            let receipt = if receipt.is_none() { registry.receipt(&execution).await? } else { None };
            heard(&execution, room.as_ref(), receipt, page_url(public_url, &execution))
        }
        Beaten::Over(execution) => problem_response(StatusCode::CONFLICT, &conflict(&execution)),
        Beaten::WrongToken => return Err(ApiError::WrongToken),
        Beaten::WrongReceipt => return Err(ApiError::wrong_receipt()),
        Beaten::OtherRun => return Err(ApiError::OtherRun),
        Beaten::NotFound => return Err(ApiError::NotFound("Running test not found".to_owned())),
    })
}

/// The heartbeat that a call begins with. It is saved even if its waiter hangs up meanwhile, so the guard of a call that
/// will be held comes with it.
async fn first_heartbeat(
    registry: &Arc<Registry>,
    run_id: RunId,
    token: &str,
    receipt: Option<&str>,
    hold: Duration,
) -> Result<(Beaten, Option<HeldCall>), RegistryError> {
    if hold.is_zero() {
        return Ok((registry.heartbeat(run_id, token, receipt, hold).await?, None));
    }
    let (registry, token, receipt) = (Arc::clone(registry), token.to_owned(), receipt.map(str::to_owned));
    let heartbeat = async move {
        let beaten = registry.heartbeat(run_id, &token, receipt.as_deref(), hold).await?;
        let call = match &beaten {
            Beaten::Alive(execution, _) if execution.is_queued() => Some(HeldCall::new(&registry, execution)),
            _ => None,
        };
        Ok((beaten, call))
    };
    let ended_early = |error| RegistryError::Broken(format!("a heartbeat ended early: {error}"));
    tokio::spawn(heartbeat).await.map_err(ended_early)?
}

/// The call of a waiter that is held. Unless it comes to its end it broke off, since the waiter hung up.
struct HeldCall {
    registry: Arc<Registry>,
    run_id: RunId,
    heard_at: Option<Timestamp>,
}

impl HeldCall {
    fn new(registry: &Arc<Registry>, waiter: &Execution) -> Self {
        let heard_at = waiter.place.as_ref().map(|place| place.heard_at);
        Self { registry: Arc::clone(registry), run_id: waiter.run_id, heard_at }
    }

    fn end(mut self) {
        self.heard_at = None;
    }
}

impl Drop for HeldCall {
    fn drop(&mut self) {
        if let (Some(heard_at), Ok(runtime)) = (self.heard_at, Handle::try_current()) {
            let (registry, run_id) = (Arc::clone(&self.registry), self.run_id);
            runtime.spawn(async move { registry.note_broken_call(run_id, heard_at).await });
        }
    }
}

/// While a runner is held it does not beat, and must not come near the end of its lease.
fn longest_hold(execution: &Execution) -> Duration {
    match (execution.status, &execution.lease) {
        (Status::Running, Some(lease)) => Duration::from_secs(lease.seconds.into()) / 3,
        _ => Duration::MAX,
    }
}

fn heard(execution: &Execution, room: Option<&Room>, receipt: Option<String>, page_url: Option<String>) -> Response {
    Json(HeartbeatResponse {
        message: "Heard".to_owned(),
        position: room.map(|room| room.ahead + 1),
        estimated_start: room.and_then(|room| room.estimated_start),
        waits_for: room.map(room::to_wire),
        receipt,
        page_url,
        execution: to_wire(execution, clock::now()),
    })
    .into_response()
}
