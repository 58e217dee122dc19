//! Asks to start an execution.

use std::sync::Arc;

use uuid::Uuid;

use super::token;
use crate::domain::admission::Command;
use crate::domain::answer::{Answer, Refusal, Room};
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{LocationName, UnknownLocation};
use crate::domain::execution::idempotency::IdempotencyKey;
use crate::domain::execution::lease::{Lease, TokenHash};
use crate::domain::execution::priority::Priority;
use crate::domain::execution::{Details, Execution, Registration};
use crate::registry::runs::token::Ingredients;
use crate::registry::{Registry, RegistryError};

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Request {
    pub details: Details,
    pub priority: Priority,
    /// How long it would wait for room; 0 for not at all.
    pub wait_seconds: u32,
    /// Seconds between two beats at the most. A waiter has a lease in any case; with 0 it ends with the waiting.
    pub lease_seconds: Option<u32>,
    /// How long it will run, if the client knows.
    pub expected_seconds: Option<u32>,
    /// What makes it the same request if it is sent again.
    pub idempotency: Option<Idempotency>,
}

/// A client's key for a request, and the request that came with it.
#[derive(Clone, Debug)]
pub struct Idempotency {
    pub key: String,
    pub request: Vec<u8>,
}

impl Request {
    /// One that does not wait and has no lease, as the original's clients ask.
    #[must_use]
    pub const fn plain(details: Details) -> Self {
        Self {
            details,
            priority: Priority::DEFAULT,
            wait_seconds: 0,
            lease_seconds: None,
            expected_seconds: None,
            idempotency: None,
        }
    }
}

impl Idempotency {
    fn hashed(self, salt: &str) -> IdempotencyKey {
        let (hash, request_hash) = (token::hash(self.key).0, token::hash(self.request).0);
        IdempotencyKey { hash, request_hash, salt: salt.to_owned() }
    }
}

#[derive(Clone, Debug)]
pub enum Registered {
    /// The secret is there if it has a lease.
    Started(Execution, Option<String>),
    Queued(Execution, Room, Option<String>),
    Refused(Refusal),
    FactorTooLarge {
        largest: Factor,
    },
    /// What the first request with the same key was answered with.
    Again(Box<Self>),
    /// The location is new, and only known ones are taken.
    UnknownLocation(UnknownLocation),
    /// The key was used for another request within the last day.
    KeyReused,
}

impl Registry {
    /// Starts an execution if its location has room, or lets it wait.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn register(&self, mut request: Request) -> Result<Registered, RegistryError> {
        let location = request.details.location.clone();
        let default_lease = (request.wait_seconds > 0).then_some(Lease::DEFAULT_SECONDS);
        let lease_seconds = match request.lease_seconds {
            Some(0) if request.wait_seconds == 0 => None,
            asked => asked.or(default_lease),
        };
        let ingredients = Ingredients::new(request.idempotency.as_ref().map(|idempotency| idempotency.key.clone()));
        let key = request.idempotency.take().map(|idempotency| idempotency.hashed(&ingredients.salt));
        if lease_seconds.is_some() {
            // Whatever is needed to answer is there before anything is decided.
            self.receipt_key().await?;
        }
        let lease = lease_seconds.map(|seconds| (seconds, token::hash(ingredients.secret())));
        let registration = Registration { key, ..self.registration(request, lease).await };
        let asked = Arc::clone(&registration.details);
        let secret = |ingredients: &Ingredients| lease_seconds.map(|_| ingredients.secret());
        let answer = self.lanes.submit(location.clone(), Command::Register(registration)).await?;
        if let (Answer::UnknownLocation, Some(name)) = (&answer, &location) {
            return Ok(Registered::UnknownLocation(self.known_locations.describe(name).await?));
        }
        if let Answer::Registered(run) | Answer::Queued(run, _) = &answer {
            self.seen.remember(run);
        }
        match answer {
            Answer::Again { first, salt } => {
                let first = registered(*first, secret(&ingredients.with_salt(salt)))?;
                Ok(Registered::Again(Box::new(first)))
            }
            answer => {
                log(&asked, &answer);
                registered(answer, secret(&ingredients))
            }
        }
    }

    pub(in crate::registry) async fn registration(
        &self,
        request: Request,
        lease: Option<(u32, TokenHash)>,
    ) -> Registration {
        let expected_seconds = match request.expected_seconds {
            Some(seconds) => Some(seconds),
            None => self.expectations.expected_seconds(&request.details).await,
        };
        Registration {
            id: Uuid::now_v7(),
            details: Arc::new(request.details),
            priority: request.priority,
            wait_seconds: request.wait_seconds,
            lease,
            expected_seconds,
            key: None,
            only_where_known: self.takes_known_locations_only,
        }
    }
}

fn registered(answer: Answer, secret: Option<String>) -> Result<Registered, RegistryError> {
    Ok(match answer {
        Answer::Registered(execution) => {
            let secret = secret.filter(|_| execution.lease.is_some());
            Registered::Started(execution, secret)
        }
        Answer::Queued(execution, room) => Registered::Queued(execution, room, secret),
        Answer::Refused(refusal) => Registered::Refused(refusal),
        Answer::FactorTooLarge { largest } => Registered::FactorTooLarge { largest },
        Answer::KeyReused => Registered::KeyReused,
        other => return Err(unexpected("a registration", &other)),
    })
}

fn log(asked: &Details, answer: &Answer) {
    let (test, by) = (asked.test.as_str(), asked.triggered_by.as_str());
    let location = asked.location.as_ref().map(LocationName::as_str);
    match answer {
        // A start out of the queue is logged where it is decided.
        Answer::Registered(execution) if execution.place.is_none() => {
            let factor = execution.factor();
            tracing::info!(run_id = execution.run_id.0, test, location, %factor, by, waited_seconds = 0, "started");
        }
        Answer::Queued(execution, room) => {
            let (run_id, ahead) = (execution.run_id.0, room.ahead);
            let (cause, factor) = (room.cause().as_str(), execution.factor());
            let (state, reason, closed_by_registry) = closed(room);
            tracing::info!(
                run_id, test, location, %factor, by, cause, ahead, state, reason, closed_by_registry, "queued"
            );
        }
        Answer::Refused(Refusal { cause, room }) => {
            let (cause, used, requested) = (cause.as_str(), room.running_factor, room.requested_factor);
            let (state, reason, closed_by_registry) = closed(room);
            tracing::info!(
                test, location, by, cause, %used, %requested, state, reason, closed_by_registry, "refused"
            );
        }
        Answer::FactorTooLarge { largest } => {
            tracing::info!(test, location, by, cause = "too_large", requested = %asked.factor.unwrap_or_default(), %largest, "refused");
        }
        Answer::UnknownLocation => tracing::info!(test, location, by, cause = "unknown_location", "refused"),
        Answer::KeyReused => tracing::info!(test, location, by, cause = "key_reused", "refused"),
        _ => {}
    }
}

/// The state of the gate that is closed, why it is, and whether it is the registry's.
fn closed(room: &Room) -> (Option<&str>, Option<&str>, Option<bool>) {
    let gate = Some(&room.gate).filter(|gate| !gate.is_open());
    let state = gate.map(|gate| gate.state.as_str());
    (state, gate.and_then(|gate| gate.reason.as_deref()), gate.map(|_| room.closed_by_registry))
}

/// The rule answers each command in its own way; anything else is a defect.
pub(in crate::registry) fn unexpected(command: &str, answer: &Answer) -> RegistryError {
    RegistryError::Broken(format!("{command} was answered with {answer:?}"))
}
