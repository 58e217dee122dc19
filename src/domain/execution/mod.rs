//! One test execution, from the request that starts it to its outcome.

pub mod idempotency;
pub mod lease;
pub mod place;
pub mod priority;
mod registration;
mod status;
mod waiting;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::LocationName;
use lease::{Lease, TokenHash};
use place::Place;
use priority::Priority;

pub use registration::{Details, Registration};
pub use status::{EndReason, Outcome, Status, UnknownEndReason, UnknownStatus};

/// The number that people and pipelines use for an execution; the database hands it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a run_id, which is a whole number such as 7")]
pub struct NotARunId;

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, NotARunId> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number).map(Self).ok_or(NotARunId)
    }
}

/// A request that a running test stop its load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    pub reason: String,
    pub by: Option<String>,
    pub at: Timestamp,
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
    /// While it waits, when it began to.
    pub start_time: Timestamp,
    pub end_time: Option<Timestamp>,
    pub priority: Priority,
    /// Its place in the queue, the last it had if it waits no longer.
    pub place: Option<Place>,
    pub lease: Option<Lease>,
    /// Grows with every start at the location.
    pub fence: Option<i64>,
    pub stop: Option<Stop>,
    pub end_reason: Option<EndReason>,
    /// How long it was expected to run when it was registered.
    pub expected_seconds: Option<u32>,
    /// Grows with every change that a watcher wants to see.
    pub version: i64,
}

impl Execution {
    /// How many times its expected time a run may take.
    pub const OVERDUE_AFTER: i64 = 4;

    /// One that waits from `now` on.
    #[must_use]
    pub fn queued(registration: &Registration, run_id: RunId, now: Timestamp) -> Self {
        Self {
            id: registration.id,
            run_id,
            details: Arc::clone(&registration.details),
            exact_factor: None,
            status: Status::Queued,
            start_time: now,
            end_time: None,
            priority: registration.priority,
            place: Some(Place::new(now, registration.wait_seconds)),
            lease: registration.lease.clone().map(|(seconds, token)| Lease::new(seconds, token)),
            fence: None,
            stop: None,
            end_reason: None,
            expected_seconds: registration.expected_seconds,
            version: 1,
        }
    }

    /// One that starts without having waited.
    #[must_use]
    pub fn started(registration: &Registration, run_id: RunId, now: Timestamp, fence: i64) -> Self {
        let queued = Self { place: None, version: 0, ..Self::queued(registration, run_id, now) };
        queued.start_untold(now, fence).told(now)
    }

    /// One that waited and runs from now on, and whose waiter has to be told so before it would be suspect.
    #[must_use]
    pub fn start_untold(&self, now: Timestamp, fence: i64) -> Self {
        let tell_by = self.to_be_told_by();
        Self {
            status: Status::Running,
            start_time: now,
            place: self.place.clone().map(|place| Place { tell_by, ..place }),
            lease: self.lease.as_ref().map(|lease| lease.renewed(now)),
            fence: Some(fence),
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// One that runs or waits at another location from now on.
    #[must_use]
    pub fn moved_to(&self, location: &LocationName) -> Self {
        let details = Details { location: Some(location.clone()), ..Details::clone(&self.details) };
        Self { details: Arc::new(details), version: self.version + 1, ..self.clone() }
    }

    /// Whether its load has to stop before it can end: it has a lease, and somebody may know that it runs.
    #[must_use]
    pub fn has_to_stop_first(&self) -> bool {
        self.status == Status::Running && self.lease.is_some() && !self.is_untold()
    }

    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.status == Status::Queued
    }

    /// Whether it runs or ran. Every start has a fence but that of an adopted run, which never waited for it.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.fence.is_some() || self.place.is_none()
    }

    /// Whether it was taken over from a database of the original: no server of this registry has started it or let it wait.
    #[must_use]
    pub const fn is_adopted(&self) -> bool {
        self.fence.is_none() && self.place.is_none()
    }

    /// When its runner was last heard of, if that says whether it lives.
    #[must_use]
    pub fn heard_at(&self) -> Option<Timestamp> {
        match self.status {
            Status::Queued => self.place.as_ref().map(|place| place.heard_at),
            Status::Running if self.is_untold() => self.place.as_ref().map(|place| place.heard_at),
            Status::Running => self.lease.as_ref().and_then(Lease::heard_at),
            Status::Ended(_) => None,
        }
    }

    /// As it is if the silence of its runner counts from `heard_at`.
    #[must_use]
    pub fn counted_from(&self, heard_at: Timestamp) -> Self {
        match self.status {
            Status::Queued => self.waiting_from(heard_at),
            Status::Running if self.is_untold() => self.waiting_from(heard_at),
            Status::Running => {
                Self { lease: self.lease.as_ref().map(|lease| lease.counted_from(heard_at)), ..self.clone() }
            }
            Status::Ended(_) => self.clone(),
        }
    }

    /// Ends it. A clock that was set back never makes it end before its start.
    ///
    /// # Errors
    /// An execution ends once; the outcome it already has is the error.
    pub fn end(&self, outcome: Outcome, reason: Option<EndReason>, now: Timestamp) -> Result<Self, Outcome> {
        match self.status {
            Status::Ended(earlier) => Err(earlier),
            Status::Queued | Status::Running => Ok(Self {
                status: Status::Ended(outcome),
                end_time: Some(now.max(self.start_time)),
                end_reason: reason,
                place: self.place.clone().map(|place| Place { tell_by: None, ..place }),
                lease: self.lease.clone().map(|lease| Lease { expires_at: None, suspect: false, ..lease }),
                version: self.version + 1,
                ..self.clone()
            }),
        }
    }

    /// As it was when it started and nothing else had happened.
    #[must_use]
    pub fn as_started(&self) -> Self {
        Self {
            status: Status::Running,
            end_time: None,
            place: self.place.clone().map(|place| Place { tell_by: None, ..place }),
            lease: self.lease.as_ref().map(|lease| lease.renewed(self.start_time)),
            stop: None,
            end_reason: None,
            version: if self.place.is_some() { 2 } else { 1 },
            ..self.clone()
        }
    }

    /// As it was when it began to wait.
    #[must_use]
    pub fn as_queued(&self) -> Self {
        let lease = |lease: &Lease| Lease { expires_at: None, suspect: false, ..lease.clone() };
        Self {
            status: Status::Queued,
            start_time: self.place.as_ref().map_or(self.start_time, |place| place.queued_at),
            place: self.place.clone().map(|place| Place { heard_at: place.queued_at, tell_by: None, ..place }),
            lease: self.lease.as_ref().map(lease),
            fence: None,
            version: 1,
            ..self.as_started()
        }
    }

    /// What the execution takes of its location while it runs.
    #[must_use]
    pub fn factor(&self) -> Factor {
        self.details.factor.unwrap_or_default()
    }

    /// Whether it has run so much longer than expected that a person should look after it.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let is_running = self.status == Status::Running;
        let longest = |seconds: u32| SignedDuration::from_secs(i64::from(seconds) * Self::OVERDUE_AFTER);
        is_running
            && self.expected_seconds.is_some_and(|seconds| now.duration_since(self.start_time) > longest(seconds))
    }

    /// By how much it has run longer than expected, if it has.
    #[must_use]
    pub fn over(&self, now: Timestamp) -> Option<SignedDuration> {
        let expected = SignedDuration::from_secs(self.expected_seconds?.into());
        Some(now.duration_since(self.start_time) - expected).filter(SignedDuration::is_positive)
    }

    /// The factor as it was recorded, to the last digit.
    #[must_use]
    pub fn factor_text(&self) -> Option<String> {
        self.details.factor.map(|factor| self.exact_factor.clone().unwrap_or_else(|| factor.to_string()))
    }

    /// Whether this is the secret that its runner was given; without a lease there is none.
    #[must_use]
    pub fn knows(&self, token: Option<&TokenHash>) -> bool {
        self.lease.as_ref().is_none_or(|lease| token == Some(&lease.token))
    }
}
