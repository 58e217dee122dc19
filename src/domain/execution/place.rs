//! A waiter's place in the queue: since when, until when, and when its waiter was last heard of.

use jiff::{SignedDuration, Timestamp};

use super::status::EndReason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub queued_at: Timestamp,
    /// When it gives up.
    pub until: Timestamp,
    pub heard_at: Timestamp,
    /// The `heard_at` for which it was noted when the waiter is expected again. A server of the version before notes
    /// nothing, so that it is another one after that has heard the waiter.
    pub noted_at: Option<Timestamp>,
    /// By when it has to be told that it runs. None while it waits, and once it was told.
    pub tell_by: Option<Timestamp>,
}

impl Place {
    /// A waiter that is not heard of for this long loses its place.
    pub const SILENCE: SignedDuration = SignedDuration::from_secs(60);
    /// How late a waiter may be: after its longest silence so far, and after a call of it that broke off.
    pub const MARGIN: SignedDuration = SignedDuration::from_secs(5);

    #[must_use]
    pub fn new(now: Timestamp, wait_seconds: u32) -> Self {
        let until = now + SignedDuration::from_secs(wait_seconds.into());
        Self { queued_at: now, until, heard_at: now, noted_at: None, tell_by: None }
    }

    /// When it loses its place, unless it is heard of before, and why.
    #[must_use]
    pub fn due(&self) -> (Timestamp, EndReason) {
        let silent = self.heard_at + Self::SILENCE;
        if self.until <= silent { (self.until, EndReason::WaitTimeout) } else { (silent, EndReason::NotHeard) }
    }
}
