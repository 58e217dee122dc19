//! `POST /register`: asks to start a test.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::body::JsonObject;
use super::executions::to_wire;
use super::fields::Fields;
use crate::domain::answer::{Holder, Refusal};
use crate::domain::execution::Details;
use crate::domain::location::LocationName;
use crate::http::error::{ApiError, problem, problem_response};
use crate::registry::{Registered, Registry};
use crate::wire::decimal::Decimal;
use crate::wire::problem::Problem;
use crate::wire::register::{Blocking, RegisterRefusal, RegisterRequest, RegisterResponse, Room};

/// Registers a test, if the factors running at its location leave room for it.
#[utoipa::path(
    post, path = "/register", operation_id = "register_execution", tag = "executions",
    request_body = RegisterRequest,
    responses(
        (status = 200, description = "It may run now.", body = RegisterResponse),
        (status = 409, description = "No room, and who takes it.", body = RegisterRefusal,
         content_type = "application/problem+json"),
        (status = 422, description = "What is wrong with which field.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn register(
    State(registry): State<Arc<Registry>>,
    JsonObject(fields): JsonObject,
) -> Result<Response, ApiError> {
    Ok(match registry.register(read(fields)?).await? {
        Registered::Started(execution) => Json(RegisterResponse {
            message: "Test registered".to_owned(),
            test_id: execution.id,
            execution: to_wire(&execution),
        })
        .into_response(),
        Registered::Refused(refusal) => problem_response(StatusCode::CONFLICT, &refused(&refusal)),
        Registered::FactorTooLarge { largest } => {
            ApiError::invalid("factor", format!("must be at most {largest} here")).into_response()
        }
    })
}

fn read(mut fields: Fields) -> Result<Details, ApiError> {
    let details = Details {
        repo: fields.required_text("repo"),
        lac: fields.required_text("lac"),
        stream: fields.required_text("stream"),
        test: fields.required_text("test"),
        kind: fields.required_text("type"),
        environment: fields.required_text("environment"),
        triggered_by: fields.required_text("triggered_by"),
        factor: fields.optional_factor("factor"),
        dashboard_url: fields.optional_link("dashboard_url"),
        location: fields.optional_text("location").map(|name| LocationName::new(&name)),
        extra: fields.take_rest(),
    };
    fields.finish(Some(details))
}

fn refused(refusal: &Refusal) -> RegisterRefusal {
    RegisterRefusal {
        problem: problem("refused", StatusCode::CONFLICT, explain(refusal)),
        room: Room {
            location: refusal.location.to_string(),
            capacity: Decimal::new(refusal.capacity.to_string()),
            running_factor: Decimal::new(refusal.running_factor.to_string()),
            requested_factor: Decimal::new(refusal.requested_factor.to_string()),
            available_factor: Decimal::new(refusal.available_factor().to_string()),
            permanent: refusal.is_permanent(),
            running: refusal.running,
            blocking: refusal.blocking.iter().map(blocking).collect(),
        },
    }
}

/// The sentence that stands in the log of a pipeline.
fn explain(refusal: &Refusal) -> String {
    let Refusal { location, capacity, running_factor: used, requested_factor: asked, .. } = refusal;
    if refusal.is_permanent() {
        return format!(
            "Cannot register test: factor {asked} can never run at {location}, where the sum must stay below {capacity}. \
             Ask for less."
        );
    }
    let who: Vec<String> = refusal.blocking.iter().take(3).map(describe).collect();
    let others = match refusal.running - who.len() as i64 {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    format!(
        "Cannot register test: {used} runs at {location} and {asked} more would not stay below {capacity}. Running there: \
         {}{others}.",
        who.join(", ")
    )
}

fn describe(holder: &Holder) -> String {
    let Holder { run_id, test, triggered_by, factor, start_time } = holder;
    format!("run {run_id} ({test} by {triggered_by}, {factor}, since {start_time:.0})")
}

fn blocking(holder: &Holder) -> Blocking {
    Blocking {
        run_id: holder.run_id.0,
        test: holder.test.clone(),
        triggered_by: holder.triggered_by.clone(),
        factor: Decimal::new(holder.factor.to_string()),
        start_time: holder.start_time,
    }
}
