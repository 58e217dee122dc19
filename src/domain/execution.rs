//! One test execution, from the request that starts it to its outcome.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::factor::Factor;
use super::location::LocationName;

/// The number that people and pipelines use for an execution; the database hands it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Success,
    Failure,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    Running,
    Ended(Outcome),
}

impl Status {
    pub const ALL: [Self; 4] =
        [Self::Running, Self::Ended(Outcome::Success), Self::Ended(Outcome::Failure), Self::Ended(Outcome::Cancelled)];

    /// The word that the API and the databases use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ended(Outcome::Success) => "success",
            Self::Ended(Outcome::Failure) => "failure",
            Self::Ended(Outcome::Cancelled) => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of running, success, failure, cancelled")]
pub struct UnknownStatus;

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

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
}

impl Registration {
    /// What the execution takes of its location; a missing factor takes nothing.
    #[must_use]
    pub fn factor(&self) -> Factor {
        self.details.factor.unwrap_or_default()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    pub id: Uuid,
    pub run_id: RunId,
    pub details: Arc<Details>,
    /// The factor as an earlier system recorded it, where it has more digits than ours;
    /// `details.factor` is then what it counts as, rounded up.
    pub exact_factor: Option<String>,
    pub status: Status,
    pub start_time: Timestamp,
    pub end_time: Option<Timestamp>,
}

impl Execution {
    #[must_use]
    pub fn started(registration: &Registration, run_id: RunId, now: Timestamp) -> Self {
        Self {
            id: registration.id,
            run_id,
            details: Arc::clone(&registration.details),
            exact_factor: None,
            status: Status::Running,
            start_time: now,
            end_time: None,
        }
    }

    /// Ends a running execution. A clock that was set back never makes it end before its start.
    ///
    /// # Errors
    /// An execution ends once; the outcome it already has is the error.
    pub fn end(&self, outcome: Outcome, now: Timestamp) -> Result<Self, Outcome> {
        match self.status {
            Status::Ended(earlier) => Err(earlier),
            Status::Running => {
                Ok(Self { status: Status::Ended(outcome), end_time: Some(now.max(self.start_time)), ..self.clone() })
            }
        }
    }

    /// What the execution takes of its location while it runs.
    #[must_use]
    pub fn factor(&self) -> Factor {
        self.details.factor.unwrap_or_default()
    }
}
