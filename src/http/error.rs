//! The only place that turns errors into statuses and words for clients.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

use crate::registry::RegistryError;
use crate::wire::problem::{FieldError, Problem};

/// How long a client should wait before it tries a busy or unavailable server again.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Everything that is not a success and not a decision of the rule.
#[derive(Clone, Debug)]
pub enum ApiError {
    NotFound(String),
    MethodNotAllowed(String),
    WrongToken,
    /// The page of another site sent it.
    CrossSite,
    /// It is for a host that this server does not answer for, and which can be named.
    UnknownHost(Option<String>),
    /// Nobody could tell which host it is for.
    InvalidHost,
    /// Tests run or wait at a location that was to be deleted.
    LocationInUse(String),
    /// The database has forgotten the run, and its run_id is another's.
    OtherRun,
    KeyReused,
    Timeout,
    BodyTooLarge,
    NotJson,
    /// The body of a form is of another type.
    NotForm,
    NotUtf8,
    FormNotUtf8,
    /// A form that no page of this version sends.
    WrongForm(Vec<FieldError>),
    /// The body has a Content-Encoding.
    Encoded,
    ExpectationFailed,
    Invalid(Vec<FieldError>),
    Unanswered(RegistryError),
}

impl ApiError {
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    pub fn wrong_receipt() -> Self {
        Self::invalid("receipt", "must be the receipt that this registry gave for this run_id, to the last character")
    }

    /// The problem to tell, and the status to tell it with.
    pub fn problem(self) -> (Problem, StatusCode) {
        let (kind, status, detail) = match self {
            Self::NotFound(detail) => ("not-found", StatusCode::NOT_FOUND, detail),
            Self::MethodNotAllowed(detail) => ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, detail),
            Self::LocationInUse(detail) => ("location-in-use", StatusCode::CONFLICT, detail),
            Self::WrongToken => (
                "wrong-token",
                StatusCode::FORBIDDEN,
                "The test has a lease; give the lease_token that its registration was answered with.".to_owned(),
            ),
            Self::CrossSite => (
                "cross-site",
                StatusCode::FORBIDDEN,
                "The page of another site sent this, so nothing was changed; do it on a page of this registry. If it was \
                 one, behind a proxy, start the server with its --public-url."
                    .to_owned(),
            ),
            Self::UnknownHost(name) => ("unknown-host", StatusCode::MISDIRECTED_REQUEST, unknown_host(name.as_deref())),
            Self::InvalidHost => (
                "invalid-host",
                StatusCode::BAD_REQUEST,
                "Send one header Host, with the name or the address of the server, such as perfreg.example.com:8000."
                    .to_owned(),
            ),
            Self::OtherRun => (
                "lost",
                StatusCode::CONFLICT,
                "The registry has forgotten this test, and its run_id is another test's by now; register it again."
                    .to_owned(),
            ),
            Self::KeyReused => (
                "key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "This Idempotency-Key came with another body within the last 24 hours; give a new request a new key."
                    .to_owned(),
            ),
            Self::Timeout => (
                "timeout",
                StatusCode::REQUEST_TIMEOUT,
                "The body of the request did not arrive in time; send it again.".to_owned(),
            ),
            Self::BodyTooLarge => (
                "too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is larger than 64 KiB; send less in the extra fields.".to_owned(),
            ),
            Self::NotJson => (
                "not-json",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the body as JSON, with the header Content-Type: application/json.".to_owned(),
            ),
            Self::NotForm => (
                "not-form",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the form as application/x-www-form-urlencoded; programs call the API, which /docs describes."
                    .to_owned(),
            ),
            Self::NotUtf8 => (
                "not-json",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the body in UTF-8; no other charset is taken.".to_owned(),
            ),
            Self::FormNotUtf8 => (
                "not-form",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The form is not in UTF-8, so nothing was changed; open its page again, and send it from there.".to_owned(),
            ),
            Self::Encoded => (
                "not-json",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the body as it is, without Content-Encoding; nothing is unpacked here.".to_owned(),
            ),
            Self::ExpectationFailed => (
                "expectation-failed",
                StatusCode::EXPECTATION_FAILED,
                "Leave the header Expect out, or send 100-continue; no other expectation can be met.".to_owned(),
            ),
            Self::Invalid(errors) => return invalid(errors),
            Self::WrongForm(errors) => return wrong_form(errors),
            Self::Unanswered(error) => return unanswered(&error),
        };
        (problem(kind, status, detail), status)
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        Self::Unanswered(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let (problem, status) = self.problem();
        let mut response = problem_response(status, &problem);
        // A browser is shown a page of it.
        response.extensions_mut().insert(problem);
        response
    }
}

/// What is wrong with names that stand in a request more than once; nobody could tell which
/// of the values is meant.
pub fn given_twice<'name>(names: impl Iterator<Item = &'name str>) -> Vec<FieldError> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let mut twice: Vec<&str> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    twice.dedup();
    let error = |name: &str| FieldError::new(name, "must not be given twice");
    twice.into_iter().map(error).collect()
}

pub fn problem(kind: &str, status: StatusCode, detail: String) -> Problem {
    Problem {
        kind: format!("urn:perfreg:problem:{kind}"),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        message: detail.clone(),
        detail,
        errors: Vec::new(),
    }
}

/// Answers with a problem, or with a body that contains one.
pub fn problem_response(status: StatusCode, body: &impl serde::Serialize) -> Response<Body> {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    say_when_to_retry(&mut response);
    response
}

/// A client that is told 503 is told when to come back as well.
pub fn say_when_to_retry(response: &mut Response<Body>) {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    }
}

fn invalid(errors: Vec<FieldError>) -> (Problem, StatusCode) {
    let sentences: Vec<String> = errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
    let detail = format!("{}.", sentences.join("; "));
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    (Problem { errors, ..problem("invalid", status, detail) }, status)
}

fn wrong_form(errors: Vec<FieldError>) -> (Problem, StatusCode) {
    let (Problem { errors, detail, .. }, status) = invalid(errors);
    let detail = format!("{detail} Nothing was changed; open the page of the form again, and send it from there.");
    (Problem { errors, ..problem("invalid", status, detail) }, status)
}

fn unknown_host(name: Option<&str>) -> String {
    match name {
        Some(name) => format!(
            "The server does not answer to the name {name}; call it by its address, or start it with --allowed-host {name}."
        ),
        None => "The server does not answer to this name; call it by its address, or start it with --allowed-host and \
                 the name."
            .to_owned(),
    }
}

/// The database's own words go to the log; they may name hosts and users.
fn unanswered(error: &RegistryError) -> (Problem, StatusCode) {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    let (kind, status, detail) = match error {
        RegistryError::Unavailable(_) => {
            ("unavailable", unavailable, "The database does not answer; nothing was changed. Try again in a moment.")
        }
        RegistryError::Unsuitable(_) => (
            "unavailable",
            unavailable,
            "The database cannot be used until a person mends it; nothing was changed. The server's log says what is wrong.",
        ),
        RegistryError::NoStandby(_) => (
            "no-standby",
            unavailable,
            "The database's synchronous standby is not there, and nothing is acknowledged without it; nothing was \
             changed. Try again in a moment.",
        ),
        RegistryError::Full(_) => (
            "disk-full",
            unavailable,
            "The disk under the database is full; nothing was changed. Try again once there is room.",
        ),
        RegistryError::OutcomeUnknown(_) => (
            "outcome-unknown",
            unavailable,
            "The database stopped answering while this was being saved, so it may or may not have happened. Look at \
             /status before you try again.",
        ),
        RegistryError::Overloaded => {
            ("overloaded", unavailable, "Too many requests are waiting; nothing was changed. Try again in a moment.")
        }
        RegistryError::Broken(_) => (
            "internal",
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something unexpected went wrong here; the server's log says what.",
        ),
    };
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!("{error}");
    } else if kind == "no-standby" {
        tracing::debug!("{error}");
    } else {
        tracing::warn!("{error}");
    }
    (problem(kind, status, detail.to_owned()), status)
}

pub async fn unknown_path(request: Request) -> ApiError {
    ApiError::NotFound(format!("There is nothing at {}; /docs lists every path.", request.uri().path()))
}

pub async fn unknown_method(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::MethodNotAllowed(format!("{path} does not take {method}; /docs lists what it takes."))
}

pub fn panicked() -> Response<Body> {
    ApiError::Unanswered(RegistryError::Broken("a handler panicked".to_owned())).into_response()
}
