//! What happened, and what was weighed when it was decided.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::answer::Holder;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::RunId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A test waits.
    Queued,
    /// A test runs.
    Started,
    /// A start reached nobody; the test waits again.
    StartWithdrawn,
    /// A test may neither run nor wait.
    Refused,
    /// A run missed a heartbeat, or a waiter, which is passed over.
    Suspect,
    /// A suspect run or waiter was heard of again.
    Recovered,
    /// A run was asked to stop.
    StopRequested,
    /// A run that the database had forgotten was heard of, and is counted again.
    TakenBack,
    /// A test runs or waits at another location, since two became one.
    Moved,
    /// A test no longer waits or runs.
    Ended,
    /// The runner of a test that had ended otherwise said something of it.
    LateWord,
    /// Somebody who may not, or not yet, said something of a test.
    WordRefused,
    /// A location's capacity or gate was set.
    LocationSet,
    /// A location's gate opened by itself.
    LocationOpened,
    /// A location is as if it had never been used.
    LocationDeleted,
    /// What ran and waited at one location does so at another.
    LocationMerged,
    /// The gate of the whole registry was set.
    RegistrySet,
    /// The gate of the whole registry opened by itself.
    RegistryOpened,
    /// The registry was away, and silence counts from now.
    Resumed,
}

impl EventKind {
    pub const ALL: [Self; 19] = [
        Self::Queued,
        Self::Started,
        Self::StartWithdrawn,
        Self::Refused,
        Self::Suspect,
        Self::Recovered,
        Self::StopRequested,
        Self::TakenBack,
        Self::Moved,
        Self::Ended,
        Self::LateWord,
        Self::WordRefused,
        Self::LocationSet,
        Self::LocationOpened,
        Self::LocationDeleted,
        Self::LocationMerged,
        Self::RegistrySet,
        Self::RegistryOpened,
        Self::Resumed,
    ];

    /// The word that the API and the databases use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Started => "started",
            Self::StartWithdrawn => "start_withdrawn",
            Self::Refused => "refused",
            Self::Suspect => "suspect",
            Self::Recovered => "recovered",
            Self::StopRequested => "stop_requested",
            Self::TakenBack => "taken_back",
            Self::Moved => "moved",
            Self::Ended => "ended",
            Self::LateWord => "late_word",
            Self::WordRefused => "word_refused",
            Self::LocationSet => "location_set",
            Self::LocationOpened => "location_opened",
            Self::LocationDeleted => "location_deleted",
            Self::LocationMerged => "location_merged",
            Self::RegistrySet => "registry_set",
            Self::RegistryOpened => "registry_opened",
            Self::Resumed => "resumed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be one of queued, started, start_withdrawn, refused, suspect, recovered, stop_requested, taken_back, moved, \
     ended, late_word, word_refused, location_set, location_opened, location_deleted, location_merged, registry_set, \
     registry_opened, resumed, or several of them with commas between"
)]
pub struct UnknownEventKind;

impl FromStr for EventKind {
    type Err = UnknownEventKind;

    fn from_str(text: &str) -> Result<Self, UnknownEventKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownEventKind)
    }
}

/// One thing that was known when something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Text(String),
    Number(i64),
    Flag(bool),
    Factor(Factor),
    Time(Timestamp),
    Runs(Vec<RunId>),
}

/// Facts by their names.
pub type Facts = Vec<(&'static str, Fact)>;

/// What a decision leaves behind, to be saved with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    pub run_id: Option<RunId>,
    /// Who asked, as far as the request said it.
    pub by: Option<String>,
    pub facts: Facts,
    /// Who held the location, if that was in the way.
    pub blocking: Arc<[Holder]>,
}

impl Event {
    /// One in whose way nobody was.
    #[must_use]
    pub fn new(kind: EventKind, run_id: Option<RunId>, by: Option<String>, facts: Facts) -> Self {
        Self { kind, run_id, by, facts, blocking: Arc::new([]) }
    }

    /// Gives every run its real run_id.
    pub fn number(&mut self, real: impl Fn(RunId) -> RunId) {
        self.run_id = self.run_id.map(&real);
        for (_, fact) in &mut self.facts {
            if let Fact::Runs(runs) = fact {
                for run_id in runs.iter_mut() {
                    *run_id = real(*run_id);
                }
            }
        }
    }
}

/// Where an event stands among all. Later ones are larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// Of the transaction that saved it, on databases that run several at once.
    pub position: i64,
    pub number: i64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.position, self.number)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of an event, such as 0-12")]
pub struct NotAnEventId;

impl FromStr for EventId {
    type Err = NotAnEventId;

    fn from_str(text: &str) -> Result<Self, NotAnEventId> {
        let (position, number) = text.split_once('-').ok_or(NotAnEventId)?;
        let read = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten().ok_or(NotAnEventId)
        };
        Ok(Self { position: read(position)?, number: read(number)? })
    }
}

/// An event as a database keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedEvent {
    pub id: EventId,
    pub at: Timestamp,
    /// The word of its kind; a newer version that works beside this one may know more of them.
    pub kind: String,
    pub run_id: Option<RunId>,
    pub location: Option<LocationName>,
    pub by: Option<String>,
    /// A JSON object of the facts, and of who was in the way.
    pub facts: String,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub location: Option<LocationName>,
    pub run_id: Option<RunId>,
    /// Any of these; none stands for all.
    pub kinds: Vec<EventKind>,
    /// At or after this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
}

impl EventFilter {
    #[must_use]
    pub fn matches(&self, event: &SavedEvent) -> bool {
        (self.location.is_none() || self.location == event.location)
            && (self.run_id.is_none() || self.run_id == event.run_id)
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.as_str() == event.kind))
            && self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at < to)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for id in [EventId::default(), EventId { position: i64::MAX, number: 7 }] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in ["", "7", "-", "7-", "-7", "a-b", "7--7", "9223372036854775808-1", "+1-1"] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert!(UnknownEventKind.to_string().contains(kind.as_str()));
        }
    }
}
