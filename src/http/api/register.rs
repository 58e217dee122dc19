//! `POST /register`: asks to start a test.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use crate::config::server::PublicUrl;
use crate::domain::answer::{Cause, Refusal};
use crate::domain::capacity::factor::Factor;
use crate::domain::execution::lease::Lease;
use crate::domain::execution::priority::Priority;
use crate::domain::execution::{Details, Execution, Registration};
use crate::http::error::{ApiError, problem, problem_response};
use crate::http::remarks;
use crate::http::request::body::SentJsonObject;
use crate::http::request::fields::Fields;
use crate::present::execution::into_wire;
use crate::present::room;
use crate::registry::{Idempotency, Registered, Registry, RegistryError, Request};
use crate::wire;
use crate::wire::problem::FieldError;
use crate::wire::register::{QueuedResponse, RegisterRefusal, RegisterRequest, RegisterResponse};
use crate::wire::room::Obstacle;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const LONGEST_KEY_BYTES: usize = 255;

/// Asks to start a test.
///
/// It may start if the factors running at its location leave room for it. If not, it is refused, or waits for up to
/// `wait_seconds`.
#[utoipa::path(
    post, path = "/register", operation_id = "register_execution", tag = "executions",
    params(("Idempotency-Key" = Option<String>, Header,
            description = "For 24 hours the same key and body is given the first answer again, and decides nothing anew.",
            min_length = 1, max_length = 255)),
    request_body(content = RegisterRequest, examples(
        ("now" = (summary = "Starts now or not at all", value = json!({
            "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance",
            "environment": "prod", "triggered_by": "user1", "factor": 0.5, "location": "azure-k8s",
        }))),
        ("waits" = (summary = "Waits up to ten minutes for room, and has a lease", value = json!({
            "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance",
            "environment": "prod", "triggered_by": "user1", "factor": 0.5, "location": "azure-k8s",
            "wait_seconds": 600, "lease_seconds": 60,
        }))),
    )),
    responses(
        (status = 200, description = "It may run now.", body = RegisterResponse),
        (status = 202, description = "It waits, since it said for how long it would.", body = QueuedResponse),
        (status = 409, description = "No room, and who takes it.", body = RegisterRefusal,
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
                waits_for: room::to_wire(&room),
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
    let sentences =
        [&[format!("must be at most {largest} here, where the sum of the factors stays below the capacity")], remarks]
            .concat()
            .join(". ");
    let error = FieldError::new("factor", sentences.trim_end_matches('.'));
    ApiError::Invalid(vec![FieldError { obstacle: Some(Obstacle::NeverFits), ..error }])
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

pub fn read_request(fields: Fields) -> Result<Request, ApiError> {
    read(fields, Fields::required_text)
}

/// As [`read_request`], where no name is required; one that is missing is empty.
pub fn read_plan(fields: Fields) -> Result<Request, ApiError> {
    read(fields, |fields, name| fields.optional_text(name).unwrap_or_default())
}

fn read(mut fields: Fields, name: fn(&mut Fields, &str) -> String) -> Result<Request, ApiError> {
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
            repo: name(&mut fields, "repo"),
            lac: name(&mut fields, "lac"),
            stream: name(&mut fields, "stream"),
            test: name(&mut fields, "test"),
            kind: name(&mut fields, "type"),
            environment: name(&mut fields, "environment"),
            triggered_by: name(&mut fields, "triggered_by"),
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
    let reason = format!("Cannot register test: {}", room::explain_cause(refusal));
    let detail = room::advice(refusal.cause).map_or_else(|| reason.clone(), |advice| format!("{reason} {advice}"));
    RegisterRefusal {
        problem: problem("refused", StatusCode::CONFLICT, detail),
        permanent: refusal.cause == Cause::NeverFits,
        obstacle: room::obstacle(refusal.cause),
        reason,
        remarks,
        room: room::to_wire(&refusal.room),
    }
}
