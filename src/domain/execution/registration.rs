//! A request to start an execution, and what a client says of it.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::idempotency::IdempotencyKey;
use crate::domain::execution::lease::TokenHash;
use crate::domain::execution::priority::Priority;

/// What a client says of the test it wants to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    pub repo: String,
    pub lac: String,
    pub stream: String,
    pub test: String,
    /// The column `type`.
    pub kind: String,
    pub environment: String,
    pub triggered_by: String,
    pub factor: Option<Factor>,
    pub dashboard_url: Option<String>,
    pub location: Option<LocationName>,
    /// A JSON object, kept as the text it came in.
    pub extra: String,
}

/// A request to start an execution.
///
/// Its id is made by us before the database is asked, so that the same request can be put to
/// the database again when the answer to a commit was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub id: Uuid,
    pub details: Arc<Details>,
    pub priority: Priority,
    /// How long it would wait for room; 0 for not at all.
    pub wait_seconds: u32,
    /// Seconds between two beats at the most, and who may beat; 0 for a lease that only keeps its place in the queue.
    pub lease: Option<(u32, TokenHash)>,
    /// How long it will probably run.
    pub expected_seconds: Option<u32>,
    /// What makes it the same request if it comes again.
    pub key: Option<IdempotencyKey>,
    /// Whether it is refused at a location that is new.
    pub only_where_known: bool,
}

#[cfg(test)]
impl Registration {
    /// The least that can be asked for, by nobody in particular.
    #[must_use]
    pub fn example() -> Self {
        let text = || "x".to_owned();
        let details = Details {
            repo: text(),
            lac: text(),
            stream: text(),
            test: text(),
            kind: text(),
            environment: text(),
            triggered_by: text(),
            factor: None,
            dashboard_url: None,
            location: None,
            extra: "{}".to_owned(),
        };
        Self {
            id: Uuid::nil(),
            details: Arc::new(details),
            priority: Priority::DEFAULT,
            wait_seconds: 0,
            lease: None,
            expected_seconds: None,
            key: None,
            only_where_known: false,
        }
    }
}

impl Registration {
    /// Nobody waits for longer than a day.
    pub const LONGEST_WAIT_SECONDS: u32 = 86_400;
    /// Nobody is expected to run for longer than a week.
    pub const LONGEST_EXPECTED_SECONDS: u32 = 604_800;

    /// What the execution takes of its location; a missing factor takes nothing.
    #[must_use]
    pub fn factor(&self) -> Factor {
        self.details.factor.unwrap_or_default()
    }
}
