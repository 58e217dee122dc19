//! Whether an execution waits, runs or has ended, and why it ended.

use std::fmt;
use std::str::FromStr;

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Success,
    Failure,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It waits for its location to have room.
    Queued,
    Running,
    Ended(Outcome),
}

impl Status {
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Running,
        Self::Ended(Outcome::Success),
        Self::Ended(Outcome::Failure),
        Self::Ended(Outcome::Cancelled),
    ];

    /// The word that the API and the databases use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
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
#[error("must be one of queued, running, success, failure, cancelled")]
pub struct UnknownStatus;

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// Why an execution ended, where its runner did not say so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// It waited as long as it wanted to.
    WaitTimeout,
    /// Its runner went silent while it waited.
    NotHeard,
    /// Its runner went silent while it ran, for two leases.
    Lost,
    /// The capacity was set so low that it could never start.
    CannotFit,
}

impl EndReason {
    pub const ALL: [Self; 4] = [Self::WaitTimeout, Self::NotHeard, Self::Lost, Self::CannotFit];

    /// The word that the API and the databases use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WaitTimeout => "wait_timeout",
            Self::NotHeard => "not_heard",
            Self::Lost => "lost",
            Self::CannotFit => "cannot_fit",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reason for an end")]
pub struct UnknownEndReason;

impl FromStr for EndReason {
    type Err = UnknownEndReason;

    fn from_str(text: &str) -> Result<Self, UnknownEndReason> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(UnknownEndReason)
    }
}
