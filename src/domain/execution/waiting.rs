//! A waiter's place in the queue: how the rule knows that it is still there, and how a start reaches it.
//!
//! A waiter holds a call open or comes back from time to time. Once it has been silent for longer than it ever was
//! before, it is suspect: it keeps its place, and is passed over until it is heard of. A waiter whose turn comes runs
//! from then on, but has to be told so before it would be suspect; else the start is withdrawn and it waits again.

use jiff::{SignedDuration, Timestamp};

use super::lease::Lease;
use super::place::Place;
use super::{Execution, Status};

impl Execution {
    /// Whether a heartbeat was missed: a runner may be lost, a waiter is passed over.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.suspect)
    }

    /// When a waiter becomes suspect, unless it is heard of before.
    #[must_use]
    pub fn expected_by(&self) -> Option<Timestamp> {
        let place = self.place.as_ref()?;
        Some(self.noted_patience().map_or(place.heard_at + Place::SILENCE, |patience| place.heard_at + patience))
    }

    /// When the next heartbeat is missed: a runner becomes suspect, a waiter is passed over.
    #[must_use]
    pub fn suspect_at(&self) -> Option<Timestamp> {
        match self.status {
            Status::Queued => self.expected_by(),
            Status::Running | Status::Ended(_) => self.lease.as_ref()?.expires_at,
        }
    }

    /// For how long a waiter may be silent, if that was noted when it was last heard of.
    fn noted_patience(&self) -> Option<SignedDuration> {
        let place = self.place.as_ref().filter(|place| place.noted_at == Some(place.heard_at))?;
        let patience = self.lease.as_ref()?.expires_at?.duration_since(place.heard_at);
        patience.is_positive().then_some(patience)
    }

    /// A waiter that is heard of, and will be held for up to `hold`: it may be silent for as long as it ever was
    /// between two heartbeats, and a little longer. The first of them says nothing of its rhythm.
    #[must_use]
    pub fn heard_waiting(&self, hold: SignedDuration, now: Timestamp) -> Self {
        let Some(place) = &self.place else { return self.clone() };
        let before = self.noted_patience().map(|patience| patience - Place::MARGIN);
        let since = (place.heard_at > place.queued_at).then(|| now.duration_since(place.heard_at));
        let held_for = (!hold.is_zero()).then_some(hold);
        let longest = before.into_iter().chain(since).chain(held_for).max();
        let expected_by = longest.map(|longest| now + (longest + Place::MARGIN).min(Place::SILENCE));
        self.expected_again(Place { heard_at: now, ..place.clone() }, expected_by, false)
    }

    /// A waiter whose silence counts from `heard_at`: it may be silent for as long as before.
    #[must_use]
    pub fn waiting_from(&self, heard_at: Timestamp) -> Self {
        let Some(place) = &self.place else { return self.clone() };
        let tell_by = place.tell_by.map(|tell_by| heard_at + tell_by.duration_since(place.heard_at));
        let moved = Place { heard_at, tell_by, ..place.clone() };
        if self.is_untold() {
            return Self { place: Some(moved), ..self.clone() };
        }
        let expected_by = self.noted_patience().map(|patience| heard_at + patience);
        self.expected_again(moved, expected_by, self.is_suspect())
    }

    /// A waiter whose call broke off: it comes back soon, or not at all.
    #[must_use]
    pub fn broken_off(&self, now: Timestamp) -> Self {
        let soon = now + Place::MARGIN;
        let Some(place) = &self.place else { return self.clone() };
        if let Some(tell_by) = place.tell_by {
            let place = Place { tell_by: Some(tell_by.min(soon)), ..place.clone() };
            return Self { place: Some(place), ..self.clone() };
        }
        match self.expected_by() {
            Some(expected_by) if expected_by > soon => {
                self.expected_again(place.clone(), Some(soon), self.is_suspect())
            }
            _ => self.clone(),
        }
    }

    fn expected_again(&self, place: Place, expires_at: Option<Timestamp>, suspect: bool) -> Self {
        let place = Place { noted_at: Some(place.heard_at), ..place };
        let lease = self.lease.as_ref().map(|lease| Lease { expires_at, suspect, ..lease.clone() });
        Self { place: Some(place), lease, ..self.clone() }
    }

    /// By when a waiter that starts now has to be told. None if a server of the version before was the last to hear it:
    /// such a server may hold its call, and leaves no trace when it tells a start.
    #[must_use]
    pub fn to_be_told_by(&self) -> Option<Timestamp> {
        let place = self.place.as_ref()?;
        let is_ours = place.heard_at <= place.queued_at || place.noted_at == Some(place.heard_at);
        self.expected_by().filter(|_| is_ours)
    }

    /// Whether it runs and its waiter does not know yet, as far as the registry can tell. A server of the version
    /// before makes the lease of a runner whole with each heartbeat, and leaves the place as it was.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        let has_place = self.place.as_ref().is_some_and(|place| place.tell_by.is_some());
        let is_as_started = |lease: &Lease| lease.expires_at == lease.renewed(self.start_time).expires_at;
        self.status == Status::Running && has_place && self.lease.as_ref().is_some_and(is_as_started)
    }

    /// One that runs, and whose waiter is about to be told so. A lease that was only for the queue ends with it.
    #[must_use]
    pub fn told(&self, now: Timestamp) -> Self {
        let place = self.place.clone().map(|place| Place { tell_by: None, ..place });
        let lease = self.lease.as_ref().filter(|lease| lease.outlives_queue()).map(|lease| lease.renewed(now));
        Self { place, lease, ..self.clone() }
    }

    /// One whose start reached nobody: it waits in its place again, and is passed over until it is heard of.
    #[must_use]
    pub fn start_withdrawn(&self) -> Self {
        let place = self.place.clone().map(|place| Place { tell_by: None, ..place });
        Self {
            status: Status::Queued,
            start_time: place.as_ref().map_or(self.start_time, |place| place.queued_at),
            place,
            lease: self.lease.clone().map(|lease| Lease { expires_at: None, suspect: true, ..lease }),
            fence: None,
            stop: None,
            version: self.version + 1,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::execution::lease::TokenHash;
    use crate::domain::execution::{Registration, RunId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).expect("in range")
    }

    fn waiter() -> Execution {
        let lease = Some((Lease::DEFAULT_SECONDS, TokenHash("x".to_owned())));
        Execution::queued(&Registration { wait_seconds: 3_600, lease, ..Registration::example() }, RunId(1), at(0))
    }

    fn polled(seconds: &[i64]) -> Execution {
        let poll = |waiter: Execution, second: &i64| waiter.heard_waiting(SignedDuration::ZERO, at(*second));
        seconds.iter().fold(waiter(), poll)
    }

    #[test]
    fn a_waiter_may_be_silent_for_its_longest_silence_so_far_and_five_seconds_and_for_a_minute_at_the_most() {
        for (polls, expected_by) in
            [(&[][..], 60), (&[30], 90), (&[2, 4, 6], 6 + 7), (&[10, 40, 41], 41 + 35), (&[1, 59, 60], 60 + 60)]
        {
            assert_eq!(polled(polls).expected_by(), Some(at(expected_by)), "{polls:?}");
        }
    }

    #[test]
    fn a_call_that_is_held_may_take_its_time_and_one_that_broke_off_has_five_seconds() {
        let held = waiter().heard_waiting(SignedDuration::from_secs(30), at(1));
        assert_eq!(held.expected_by(), Some(at(36)));
        assert_eq!(held.broken_off(at(3)).expected_by(), Some(at(8)));
        assert_eq!(held.broken_off(at(33)).expected_by(), Some(at(36)), "no later than it was expected anyway");
        let back = held.broken_off(at(3)).heard_waiting(SignedDuration::from_secs(30), at(4));
        assert_eq!(back.expected_by(), Some(at(39)));
    }

    #[test]
    fn what_a_server_of_the_version_before_wrote_is_given_a_minute() {
        let noted = polled(&[5, 10]);
        let heard = |second| {
            let place = noted.place.clone().map(|place| Place { heard_at: at(second), ..place });
            Execution { place, ..noted.clone() }
        };
        assert_eq!(noted.to_be_told_by(), Some(at(20)));
        for second in [12, 50] {
            assert_eq!(heard(second).expected_by(), Some(at(second + 60)));
            assert!(!heard(second).start_untold(at(second + 1), 1).is_untold(), "it may have been told by the other");
        }
        let untold = waiter().start_untold(at(5), 1);
        assert!(untold.is_untold() && !untold.told(at(6)).is_untold());
        let told_before = Execution { lease: untold.lease.as_ref().map(|lease| lease.renewed(at(6))), ..untold };
        assert!(!told_before.is_untold());
    }

    #[test]
    fn a_start_that_is_withdrawn_leaves_the_waiter_where_it_was() {
        let waiter = polled(&[10, 20]);
        let withdrawn = waiter.start_untold(at(21), 7).start_withdrawn();
        let (before, after) = (waiter.place.expect("it waits"), withdrawn.place.clone().expect("it waits"));
        assert_eq!((after.queued_at, after.until), (before.queued_at, before.until));
        assert_eq!((withdrawn.status, withdrawn.fence, withdrawn.start_time), (Status::Queued, None, at(0)));
        assert!(withdrawn.is_suspect() && !withdrawn.heard_waiting(SignedDuration::ZERO, at(30)).is_suspect());
    }

    #[test]
    fn a_lease_for_the_queue_alone_ends_when_the_start_is_told() {
        let lease = Some((0, TokenHash("x".to_owned())));
        let registration = Registration { wait_seconds: 60, lease, ..Registration::example() };
        let untold = Execution::queued(&registration, RunId(1), at(0)).start_untold(at(5), 1);
        assert!(untold.is_untold() && untold.lease.is_some());
        assert_eq!(untold.told(at(6)).lease, None);
    }
}
