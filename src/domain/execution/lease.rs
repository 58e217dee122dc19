//! Leases: how a runner that died is told from one that is only late.
//!
//! A missed beat makes a run suspect, which only shows. A further grace, as long as the lease,
//! makes it lost, and only then is its share of the location given away: taking it away at the
//! first missed beat would put two load tests on top of each other whenever a network hiccups.

use jiff::{SignedDuration, Timestamp};

/// The SHA-256 of a secret that only the runner has, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHash(pub String);

/// What keeps a running execution alive, or a waiting one in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Seconds between two beats at the most; 0 if it only keeps a place in the queue and ends with that.
    pub seconds: u32,
    pub token: TokenHash,
    /// When it becomes suspect; of a waiter, as far as that was noted.
    pub expires_at: Option<Timestamp>,
    /// Whether a beat was missed and none has come since.
    pub suspect: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Live,
    Suspect,
    Lost,
}

impl Lease {
    pub const SHORTEST_SECONDS: u32 = 10;
    pub const LONGEST_SECONDS: u32 = 3_600;
    /// For a waiter that names none.
    pub const DEFAULT_SECONDS: u32 = 60;

    #[must_use]
    pub const fn new(seconds: u32, token: TokenHash) -> Self {
        Self { seconds, token, expires_at: None, suspect: false }
    }

    /// Whether it goes on after the start.
    #[must_use]
    pub const fn outlives_queue(&self) -> bool {
        self.seconds > 0
    }

    /// The lease after a beat, or at the start: whole again from `now` on.
    #[must_use]
    pub fn renewed(&self, now: Timestamp) -> Self {
        let expires_at = self.outlives_queue().then(|| now + self.length());
        Self { expires_at, suspect: false, ..self.clone() }
    }

    #[must_use]
    pub fn condition(&self, now: Timestamp) -> Condition {
        match self.expires_at {
            Some(expires_at) if now >= expires_at + self.length() => Condition::Lost,
            Some(expires_at) if now >= expires_at => Condition::Suspect,
            _ => Condition::Live,
        }
    }

    /// When its runner was last heard of; there is none before the start.
    #[must_use]
    pub fn heard_at(&self) -> Option<Timestamp> {
        self.expires_at.map(|expires_at| expires_at - self.length())
    }

    /// The lease of a runner whose silence counts from `heard_at`. It was not heard of, so that one
    /// that was suspect stays so.
    #[must_use]
    pub fn counted_from(&self, heard_at: Timestamp) -> Self {
        Self { suspect: self.suspect, ..self.renewed(heard_at) }
    }

    /// When its condition changes next, if no beat comes.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.expires_at.map(|expires_at| if self.suspect { expires_at + self.length() } else { expires_at })
    }

    fn length(&self) -> SignedDuration {
        SignedDuration::from_secs(self.seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_lease_is_live_then_suspect_for_as_long_again_and_then_lost() {
        let lease = Lease::new(60, TokenHash("x".to_owned())).renewed(at(1_000));
        for (second, condition) in [
            (1_000, Condition::Live),
            (1_059, Condition::Live),
            (1_060, Condition::Suspect),
            (1_119, Condition::Suspect),
            (1_120, Condition::Lost),
        ] {
            assert_eq!(lease.condition(at(second)), condition, "{second}");
        }
        assert_eq!(lease.due(), Some(at(1_060)));
        assert_eq!(Lease { suspect: true, ..lease }.due(), Some(at(1_120)));
    }

    #[test]
    fn what_has_not_started_is_never_lost() {
        let lease = Lease::new(60, TokenHash("x".to_owned()));
        assert_eq!(lease.condition(at(9_999_999)), Condition::Live);
        assert_eq!(lease.due(), None);
    }
}
