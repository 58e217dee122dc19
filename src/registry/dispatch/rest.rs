//! Lets beats wait a moment for others, to be decided together with them: whoever beats acts on the answer no sooner
//! than the next beat is due, and a transaction of many costs far less than one for each.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::registry::dispatch::Location;

/// For so long at the most a beat waits that comes soon after another.
const REST: Duration = Duration::from_millis(5);

/// The locations where only beats wait, and those for more of them.
#[derive(Default)]
pub struct Rest {
    locations: HashSet<Location>,
    /// When beats were last let go of.
    ended_at: Option<Instant>,
    /// Whether somebody comes to end it.
    has_alarm: bool,
}

impl Rest {
    /// Says whether the location rests, which it does not unless beats were let go of a moment ago.
    pub fn begin(&mut self, location: &Location, now: Instant) -> bool {
        let rests = self.ended_at.is_some_and(|ended_at| now < ended_at + REST);
        if rests {
            self.locations.insert(location.clone());
        } else {
            self.ended_at = Some(now);
        }
        rests
    }

    /// Says whether the location rested, which it does no more.
    pub fn leave(&mut self, location: &Location) -> bool {
        self.locations.remove(location)
    }

    /// When it is to be ended, if it has begun and nobody was told yet.
    pub fn alarm(&mut self) -> Option<Instant> {
        if self.has_alarm || self.locations.is_empty() {
            return None;
        }
        self.has_alarm = true;
        self.ended_at.map(|ended_at| ended_at + REST)
    }

    /// Lets go of all locations, in no particular order.
    pub fn end(&mut self, now: Instant) -> impl Iterator<Item = Location> {
        self.has_alarm = false;
        if !self.locations.is_empty() {
            self.ended_at = Some(now);
        }
        self.locations.drain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::capacity::location::LocationName;

    #[test]
    fn only_those_rest_who_come_soon_after_another_and_all_until_the_same_moment() {
        let (mut rest, begin) = (Rest::default(), Instant::now());
        assert!(!rest.begin(&Some(LocationName::new("a")), begin), "nobody came before");
        assert_eq!(rest.alarm(), None);
        for name in ["b", "c"] {
            assert!(rest.begin(&Some(LocationName::new(name)), begin + REST / 2));
        }
        assert_eq!((rest.alarm(), rest.alarm()), (Some(begin + REST), None), "one comes to end it");
        let mut roused: Vec<Location> = rest.end(begin + REST).collect();
        roused.sort();
        assert_eq!(roused, ["b", "c"].map(|name| Some(LocationName::new(name))));
        assert!(rest.begin(&Some(LocationName::new("d")), begin + REST), "the last were let go of just now");
        assert_eq!(rest.alarm(), Some(begin + REST * 2));
        assert_eq!(rest.end(begin + REST * 2).count(), 1);
        assert!(!rest.begin(&Some(LocationName::new("e")), begin + REST * 3), "the last were long ago");
    }

    #[test]
    fn an_end_that_finds_nobody_lets_the_next_go_at_once() {
        let (mut rest, begin) = (Rest::default(), Instant::now());
        rest.begin(&Some(LocationName::new("a")), begin);
        rest.begin(&Some(LocationName::new("b")), begin);
        assert!(rest.leave(&Some(LocationName::new("b"))) && !rest.leave(&Some(LocationName::new("b"))));
        assert_eq!(rest.end(begin + REST).count(), 0);
        assert!(!rest.begin(&Some(LocationName::new("c")), begin + REST));
    }
}
