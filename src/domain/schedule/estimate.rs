//! How long a test will probably run, and when those who wait will probably start.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::domain::answer::Holder;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::Location;
use crate::domain::execution::{Details, RunId};
use crate::domain::gate::Gate;
use crate::domain::schedule::queue::Queue;

/// Which earlier tests tell how long one will run: only its own. Others at the location say nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Alike {
    pub repo: String,
    pub test: String,
    /// The column `type`.
    pub kind: String,
    pub environment: String,
}

impl Alike {
    #[must_use]
    pub fn of(details: &Details) -> Self {
        let Details { repo, test, kind, environment, .. } = details;
        let [repo, test, kind, environment] = [repo, test, kind, environment].map(String::clone);
        Self { repo, test, kind, environment }
    }
}

/// How many of the last successes tell how long the next one will run.
pub const SUCCESSES_COUNTED: usize = 20;

/// The median of how long tests ran, in whole seconds and at least one; of an even number of
/// them, the longer of the two in the middle.
#[must_use]
pub fn median_seconds(mut durations: Vec<SignedDuration>) -> Option<u32> {
    durations.sort_unstable();
    let median = durations.get(durations.len() / 2)?;
    Some(u32::try_from(median.as_secs().max(1)).unwrap_or(u32::MAX))
}

/// When a run will probably end. Whoever has run as long as expected is expected to run as long
/// again, and so on: the longer it has taken, the less is known of its end.
#[must_use]
pub fn expected_end(start_time: Timestamp, expected_seconds: u32, now: Timestamp) -> Timestamp {
    let mut expected = i64::from(expected_seconds.max(1));
    let elapsed = now.duration_since(start_time).as_secs();
    while expected <= elapsed {
        expected *= 2;
    }
    start_time.saturating_add(SignedDuration::from_secs(expected)).unwrap_or(Timestamp::MAX)
}

/// When each of those who wait will probably start: the rule of the queue, run forward in time.
///
/// Everybody is taken to end when expected and to be heard of until then. Runs of which nothing
/// is expected, and those that `holders` leaves out, are taken to never end; who has to wait for
/// one of them, or would give up before, has no estimate.
#[must_use]
pub fn estimate_starts(
    location: &Location,
    registry: &Gate,
    holders: &[Holder],
    queue: Queue,
    now: Timestamp,
) -> HashMap<RunId, Timestamp> {
    let end = |holder: &Holder| {
        let end = expected_end(holder.start_time, holder.expected_seconds?, now);
        Some(Reverse((end, holder.factor)))
    };
    let ends = holders.iter().filter_map(end).collect();
    let mut future =
        Future { now, location: location.clone(), registry: registry.clone(), queue, ends, starts: HashMap::new() };
    future.start_waiters();
    // Each moment is later than the one before, and nobody waits for longer than a day.
    while let Some(moment) = future.next_moment() {
        future.now = moment;
        future.end_runs();
        future.start_waiters();
    }
    future.starts
}

struct Future {
    now: Timestamp,
    location: Location,
    registry: Gate,
    queue: Queue,
    /// When the runs end, and what they then give back.
    ends: BinaryHeap<Reverse<(Timestamp, Factor)>>,
    starts: HashMap<RunId, Timestamp>,
}

impl Future {
    fn end_runs(&mut self) {
        while let Some(Reverse((end, factor))) = self.ends.peek().copied()
            && end <= self.now
        {
            self.ends.pop();
            self.location.used = self.location.used - factor;
        }
    }

    fn start_waiters(&mut self) {
        self.drop_first_waiters();
        while self.location.gate.at(self.now).is_open()
            && self.registry.at(self.now).is_open()
            && let Some(waiter) = self.queue.pop_first_if_fits(&self.location, self.now)
        {
            self.starts.insert(waiter.run_id, self.now);
            self.location.used = self.location.used + waiter.factor;
            if let Some(expected) = waiter.expected_seconds {
                self.ends.push(Reverse((expected_end(self.now, expected, self.now), waiter.factor)));
            }
            self.drop_first_waiters();
        }
    }

    /// Only the first is in anybody's way, so the others may give up unnoticed.
    fn drop_first_waiters(&mut self) {
        while self.queue.first(self.now).is_some_and(|first| first.until <= self.now) {
            self.queue.pop_first(self.now);
        }
    }

    /// When something next can change, while somebody waits.
    fn next_moment(&self) -> Option<Timestamp> {
        let first = self.queue.first(self.now)?;
        let gates = [self.location.gate.until, self.registry.until];
        let end = self.ends.peek().map(|Reverse((end, _))| *end);
        let moments = gates.into_iter().chain([end, Some(first.until), self.queue.next_step(self.now)]);
        moments.flatten().filter(|moment| *moment > self.now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).expect("in range")
    }

    #[test]
    fn the_median_of_what_ran_before_is_expected() {
        let median = |seconds: &[i64]| median_seconds(seconds.iter().copied().map(SignedDuration::from_secs).collect());
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[0]), Some(1));
        assert_eq!(median(&[900, 60, 70]), Some(70));
        assert_eq!(median(&[60, 900, 70, 80]), Some(80));
    }

    #[test]
    fn whoever_takes_longer_than_expected_is_expected_to_take_as_long_again() {
        for (now, end) in [(0, 60), (59, 60), (60, 120), (119, 120), (120, 240), (1_000, 1_920)] {
            assert_eq!(expected_end(at(0), 60, at(now)), at(end), "at {now}");
        }
        assert_eq!(expected_end(at(100), 60, at(0)), at(160), "a clock that was set back");
    }
}
