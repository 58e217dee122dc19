//! `POST /register`: asks to start a test.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::body::SentJsonObject;
use super::executions::into_wire;
use super::fields::Fields;
use super::gate::to_wire as gate_to_wire;
use super::plan::obstacle;
use super::remarks;
use crate::config::server::PublicUrl;
use crate::domain::answer::{Cause, Holder, Refusal, Room};
use crate::domain::capacity::factor::Factor;
use crate::domain::execution::lease::Lease;
use crate::domain::execution::priority::Priority;
use crate::domain::execution::{Details, Execution, Registration};
use crate::http::error::{ApiError, problem, problem_response};
use crate::registry::{Idempotency, Registered, Registry, RegistryError, Request};
use crate::wire;
use crate::wire::decimal::Decimal;
use crate::wire::problem::Problem;
use crate::wire::register::{Blocking, QueuedResponse, RegisterRefusal, RegisterRequest, RegisterResponse};

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const LONGEST_KEY_BYTES: usize = 255;

/// Registers a test, if the factors running at its location leave room for it.
#[utoipa::path(
    post, path = "/register", operation_id = "register_execution", tag = "executions",
    params(("Idempotency-Key" = Option<String>, Header,
            description = "For 24 hours the same key and body is given the first answer again, and decides nothing anew.",
            min_length = 1, max_length = 255)),
    request_body = RegisterRequest,
    responses(
        (status = 200, description = "It may run now.", body = RegisterResponse),
        (status = 202, description = "It waits, since it said for how long it would.", body = QueuedResponse),
        (status = 409, description = "No room, and who takes it.", body = RegisterRefusal,
         content_type = "application/problem+json"),
        (status = 422, description = "What is wrong with which field.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn register(
    State(registry): State<Arc<Registry>>,
    public_url: Option<Extension<PublicUrl>>,
    headers: HeaderMap,
    SentJsonObject(fields, sent): SentJsonObject,
) -> Result<Response, ApiError> {
    let key = idempotency_key(&headers)?;
    let idempotency = key.map(|key| Idempotency { key, request: sent.into() });
    let request = read_request(fields)?;
    let remarks = remarks::on_registration(&registry, &request.details).await;
    let (registered, remarks) = match registry.register(Request { idempotency, ..request }).await? {
        // It was remarked on once.
        Registered::Again(first) => (*first, Vec::new()),
        registered => (registered, remarks),
    };
    Ok(match registered {
        Registered::Started(execution, lease_token) => Json(RegisterResponse {
            message: "Test registered".to_owned(),
            test_id: execution.id,
            lease_token,
            receipt: registry.receipt(&execution).await?,
            remarks,
            page_url: page_url(public_url, &execution),
            execution: as_it_starts(execution),
        })
        .into_response(),
        Registered::Queued(execution, room, lease_token) => {
            let body = QueuedResponse {
                message: "Test queued".to_owned(),
                test_id: execution.id,
                lease_token,
                position: room.ahead + 1,
                estimated_start: room.estimated_start,
                waits_for: room_to_wire(&room),
                remarks,
                page_url: page_url(public_url, &execution),
                execution: as_it_starts(execution),
            };
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
        Registered::Refused(refusal) => problem_response(StatusCode::CONFLICT, &refused(&refusal, remarks)),
        Registered::FactorTooLarge { largest } => factor_too_large(largest, &remarks).into_response(),
        Registered::UnknownLocation(new) => remarks::unknown_location(&new).into_response(),
        Registered::KeyReused => ApiError::KeyReused.into_response(),
        Registered::Again(_) => {
            return Err(RegistryError::Broken("what was answered first repeats another answer".to_owned()).into());
        }
    })
}

/// Where people look at it, if the server knows its public URL.
pub fn page_url(public_url: Option<Extension<PublicUrl>>, execution: &Execution) -> Option<String> {
    public_url.map(|Extension(url)| url.page_of_run(execution.run_id.0))
}

/// Nobody who starts is overdue.
fn as_it_starts(execution: Execution) -> wire::execution::Execution {
    let start_time = execution.start_time;
    into_wire(execution, start_time)
}

/// With what is remarked on: the location may be another than was meant.
pub fn factor_too_large(largest: Factor, remarks: &[String]) -> ApiError {
    let sentences = [&[format!("must be at most {largest} here")], remarks].concat().join(". ");
    ApiError::invalid("factor", sentences.trim_end_matches('.'))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = given.next() else { return Ok(None) };
    let text = key.to_str().unwrap_or_default().trim();
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_usable = (1..=LONGEST_KEY_BYTES).contains(&text.len()) && is_visible && given.next().is_none();
    let wrong = || ApiError::invalid(IDEMPOTENCY_KEY, "must be given once, as 1 to 255 visible ASCII characters");
    is_usable.then(|| Some(text.to_owned())).ok_or_else(wrong)
}

pub fn read_request(mut fields: Fields) -> Result<Request, ApiError> {
    let priority = fields.optional_number("priority", 0..=Priority::LARGEST.into());
    let lease_seconds = lease_seconds(&mut fields);
    let wait_seconds = fields.optional_number("wait_seconds", 0..=Registration::LONGEST_WAIT_SECONDS.into());
    let expected_range = 1..=Registration::LONGEST_EXPECTED_SECONDS.into();
    let expected_seconds = fields.optional_number("expected_seconds", expected_range);
    let seconds = |number: i64| u32::try_from(number).ok();
    let request = Request {
        priority: priority.and_then(|one| Priority::new(u8::try_from(one).ok()?)).unwrap_or(Priority::DEFAULT),
        wait_seconds: wait_seconds.and_then(seconds).unwrap_or_default(),
        lease_seconds,
        expected_seconds: expected_seconds.and_then(seconds),
        idempotency: None,
        details: Details {
            repo: fields.required_text("repo"),
            lac: fields.required_text("lac"),
            stream: fields.required_text("stream"),
            test: fields.required_text("test"),
            kind: fields.required_text("type"),
            environment: fields.required_text("environment"),
            triggered_by: fields.required_text("triggered_by"),
            factor: fields.optional_factor("factor"),
            dashboard_url: fields.optional_link("dashboard_url"),
            location: fields.optional_location("location"),
            extra: fields.take_rest(),
        },
    };
    fields.finish(Some(request))
}

/// 0 asks for a lease that only keeps the place in the queue.
fn lease_seconds(fields: &mut Fields) -> Option<u32> {
    let seconds = fields.optional_number("lease_seconds", 0..=i64::MAX)?;
    let (least, most) = (Lease::SHORTEST_SECONDS, Lease::LONGEST_SECONDS);
    let asked = u32::try_from(seconds).ok().filter(|seconds| *seconds == 0 || (least..=most).contains(seconds));
    if asked.is_none() {
        fields.reject("lease_seconds", format_args!("must be 0, or a whole number from {least} to {most}"));
    }
    asked
}

fn refused(refusal: &Refusal, remarks: Vec<String>) -> RegisterRefusal {
    let reason = format!("Cannot register test: {}", explain_cause(refusal));
    let detail = advice(refusal.cause).map_or_else(|| reason.clone(), |advice| format!("{reason} {advice}"));
    RegisterRefusal {
        problem: problem("refused", StatusCode::CONFLICT, detail),
        permanent: refusal.cause == Cause::NeverFits,
        obstacle: obstacle(refusal.cause),
        reason,
        remarks,
        room: room_to_wire(&refusal.room),
    }
}

/// What a client of the API does about it, for the log of its pipeline.
const fn advice(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::NeverFits => None,
        Cause::NoRoom => Some("Give wait_seconds to wait for room."),
        Cause::Queue => Some("Give wait_seconds to wait as well."),
        Cause::QueueFull => Some("Try again later."),
        Cause::Gate => Some("Give wait_seconds to wait for it."),
    }
}

/// What is in the way, in a sentence.
pub fn explain_cause(refusal: &Refusal) -> String {
    let room = &refusal.room;
    let Room { capacity, running_factor: used, requested_factor: asked, gate, .. } = room;
    let location = room.location.as_ref().map_or_else(|| "the registry".to_owned(), ToString::to_string);
    match refusal.cause {
        Cause::NeverFits => {
            let largest = capacity.left_after(Factor::SMALLEST);
            format!(
                "factor {asked} can never run at {location}, where the sum must stay below {capacity}. The largest \
                 factor that fits is {largest}."
            )
        }
        Cause::NoRoom => format!(
            "{used} runs at {location} and {asked} more would not stay below {capacity}. Running there: {}.",
            describe_holders(room)
        ),
        Cause::Queue => match room.ahead {
            1 => format!("1 test waits for {location} already and goes first."),
            ahead => format!("{ahead} tests wait for {location} already and go first."),
        },
        Cause::QueueFull => format!("{} tests wait for {location} already, and no more are taken on.", room.ahead),
        Cause::Gate => {
            let closed = if room.closed_by_registry { "the registry".to_owned() } else { location };
            let until = gate.until.map(|until| format!(" until {until:.0}")).unwrap_or_default();
            let reason = gate.reason.as_deref().unwrap_or("no reason was given");
            format!("{closed} is {}{until}: {}.", gate.state.as_str(), reason.trim_end_matches('.'))
        }
    }
}

fn describe_holders(room: &Room) -> String {
    let who: Vec<String> = room.blocking.iter().take(3).map(describe).collect();
    let others = match room.running - who.len() as i64 {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    format!("{}{others}", who.join(", "))
}

pub fn room_to_wire(room: &Room) -> wire::register::Room {
    wire::register::Room {
        location: room.location.as_ref().map(ToString::to_string),
        capacity: Decimal::new(room.capacity.to_string()),
        running_factor: Decimal::new(room.running_factor.to_string()),
        requested_factor: Decimal::new(room.requested_factor.to_string()),
        available_factor: Decimal::new(room.available_factor().to_string()),
        running: room.running,
        ahead: room.ahead,
        gate: gate_to_wire(&room.gate),
        blocking: room.blocking.iter().map(blocking).collect(),
    }
}

fn describe(holder: &Holder) -> String {
    let Holder { run_id, test, triggered_by, factor, start_time, .. } = holder;
    format!("run {run_id} ({test} by {triggered_by}, {factor}, since {start_time:.0})")
}

fn blocking(holder: &Holder) -> Blocking {
    Blocking {
        run_id: holder.run_id.0,
        test: holder.test.clone(),
        triggered_by: holder.triggered_by.clone(),
        factor: Decimal::new(holder.factor.to_string()),
        start_time: holder.start_time,
        expected_seconds: holder.expected_seconds,
    }
}
