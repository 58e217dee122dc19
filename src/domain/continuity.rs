//! Whether the registry was there all the time, so that a silence is the runner's and not its own.
//!
//! While anybody has a lease or waits, the servers write down every second that they can: the
//! pulse. If it stops for long, nobody could be heard, and nobody is given up for it: everybody's
//! silence counts from when the registry was back.

use jiff::{SignedDuration, Timestamp};

use crate::domain::event::{Event, EventKind, Fact};

/// What the registry's one row says of its own life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Continuity {
    /// No start is given a smaller fence. It is raised where fences may have been forgotten that
    /// were given already, as by a standby that lagged behind, or a backup.
    pub fence_floor: i64,
    /// When the registry last wrote that it can; nothing while nobody has a lease or waits.
    pub pulse_at: Option<Timestamp>,
    /// From when on a silence counts at the earliest.
    pub resumed_at: Option<Timestamp>,
}

/// What a pulse writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    pub continuity: Continuity,
    /// If the registry was away.
    pub event: Option<Event>,
}

impl Continuity {
    /// The registry was away if its pulse is older than this, or so far in the future.
    pub const LONGEST_SILENCE: SignedDuration = SignedDuration::from_secs(5);
    /// Fences stay below 2^53, which every JSON parser reads to the last digit.
    const MOST_PROMOTIONS: i64 = 8_000;
    /// How old a pulse is when the next one is due.
    const INTERVAL: SignedDuration = SignedDuration::from_secs(1);
    /// How long after nobody has a lease or waits any more there is no pulse.
    const REST_AFTER: SignedDuration = SignedDuration::from_secs(2);

    /// Whether anybody may be judged by their silence. If not, the next pulse settles from when
    /// on it counts.
    #[must_use]
    pub fn is_unbroken(&self, now: Timestamp) -> bool {
        self.pulse_at.is_some_and(|pulse_at| now.duration_since(pulse_at).abs() <= Self::LONGEST_SILENCE)
    }

    /// From when on the silence of one counts who was last heard at `heard_at`; nothing if from
    /// then on.
    #[must_use]
    pub fn forgives(&self, heard_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let resumed_at = self.resumed_at?.min(now);
        let is_from_the_future = heard_at > now + Self::LONGEST_SILENCE;
        (heard_at < resumed_at || is_from_the_future).then_some(resumed_at)
    }

    /// As it goes on on another server, which is the given number of promotions after the first and may have
    /// forgotten fences that were given already.
    #[must_use]
    pub fn promoted(self, before: Option<i64>, timeline: i64, promotions: i64, now: Timestamp) -> Pulse {
        // Far more than anybody starts between two promotions. The time tells two promotions apart
        // that do not know of each other, and so have the same number.
        let step = promotions.clamp(1, Self::MOST_PROMOTIONS) << 40;
        let by_number = step + (now.as_second() << 9);
        // A restoration has raised it far above that.
        let fence_floor = if by_number > self.fence_floor { by_number } else { self.raised_to(now) };
        let facts = [
            before.map(|before| ("timeline_before", Fact::Number(before))),
            Some(("timeline", Fact::Number(timeline))),
            Some(("fence_floor", Fact::Number(fence_floor))),
        ];
        self.goes_on(fence_floor, facts.into_iter().flatten().collect(), now)
    }

    /// As it goes on from a backup, which does not know what was given out after it. The time in microseconds is far above
    /// every fence that was ever counted up to, and the later restoration's is above the earlier's.
    #[must_use]
    pub fn restored(self, now: Timestamp) -> Pulse {
        let fence_floor = self.raised_to(now);
        self.goes_on(fence_floor, vec![("fence_floor", Fact::Number(fence_floor))], now)
    }

    fn goes_on(self, fence_floor: i64, facts: Vec<(&'static str, Fact)>, now: Timestamp) -> Pulse {
        let event = resumed(self.pulse_at, facts);
        // Where nobody has a lease or waits there is no pulse, and none is begun.
        let pulse_at = self.pulse_at.map(|_| now);
        Pulse { continuity: Self { fence_floor, pulse_at, resumed_at: Some(now) }, event: Some(event) }
    }

    /// The time in microseconds, or what a second is above the floor that there is.
    fn raised_to(&self, now: Timestamp) -> i64 {
        now.as_microsecond().max(self.fence_floor + 1_000_000)
    }

    /// What there is to write, if anything. `is_idle` says that nobody has a lease or waits.
    #[must_use]
    pub fn pulse(self, is_idle: bool, now: Timestamp) -> Option<Pulse> {
        let Some(pulse_at) = self.pulse_at else {
            // Whoever came in the meantime may have come long ago, if the servers were away.
            return (!is_idle).then(|| self.back(now, None));
        };
        let age = now.duration_since(pulse_at);
        if is_idle {
            let rest = || Pulse { continuity: Self { pulse_at: None, ..self }, event: None };
            (age.abs() >= Self::REST_AFTER).then(rest)
        } else if self.is_unbroken(now) {
            let beat = || Pulse { continuity: Self { pulse_at: Some(now), ..self }, event: None };
            (age >= Self::INTERVAL).then(beat)
        } else {
            Some(self.back(now, Some(resumed(Some(pulse_at), Vec::new()))))
        }
    }

    fn back(self, now: Timestamp, event: Option<Event>) -> Pulse {
        Pulse { continuity: Self { pulse_at: Some(now), resumed_at: Some(now), ..self }, event }
    }
}

/// How many numbers of executions and events are left out after a backup that knows them until then.
///
/// It is more than a registry gives out in that time, so that even what was forgotten twice is not given out again.
#[must_use]
pub fn numbers_left_out(known_until: Option<Timestamp>, now: Timestamp) -> i64 {
    const AT_LEAST: i64 = 1_000_000;
    const PER_MILLISECOND: i64 = 2;
    let since = known_until.map_or(SignedDuration::ZERO, |known_until| now.duration_since(known_until));
    AT_LEAST + i64::try_from(since.as_millis()).unwrap_or_default().max(0) * PER_MILLISECOND
}

/// The event of a registry that was away and goes on, with what else is known of it.
#[must_use]
fn resumed(silent_since: Option<Timestamp>, more: Vec<(&'static str, Fact)>) -> Event {
    let facts = silent_since.map(|since| ("silent_since", Fact::Time(since))).into_iter().chain(more).collect();
    Event::new(EventKind::Resumed, None, None, facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).expect("in range")
    }

    fn beating() -> Continuity {
        Continuity { fence_floor: 7, pulse_at: Some(at(100)), resumed_at: Some(at(50)) }
    }

    #[test]
    fn a_pulse_is_written_every_second_and_changes_nothing_else() {
        assert_eq!(beating().pulse(false, at(100)), None);
        let pulse = Pulse { continuity: Continuity { pulse_at: Some(at(101)), ..beating() }, event: None };
        assert_eq!(beating().pulse(false, at(101)), Some(pulse));
        assert_eq!(beating().pulse(false, at(97)), None, "a clock that was set back a little");
    }

    #[test]
    fn an_idle_registry_writes_that_it_rests_and_then_nothing() {
        assert_eq!(beating().pulse(true, at(101)), None);
        let rest = beating().pulse(true, at(103)).expect("it rests");
        assert_eq!((rest.continuity.pulse_at, &rest.event), (None, &None));
        assert_eq!(rest.continuity.pulse(true, at(10_000)), None);
        let wake = rest.continuity.pulse(false, at(10_000)).expect("somebody came");
        let awake = Continuity { pulse_at: Some(at(10_000)), resumed_at: Some(at(10_000)), ..beating() };
        assert_eq!(wake, Pulse { continuity: awake, event: None });
    }

    #[test]
    fn every_promotion_leaves_more_room_than_anybody_fills() {
        let first = beating().promoted(Some(3), 4, 1, at(200)).continuity;
        assert_eq!((first.pulse_at, first.resumed_at), (Some(at(200)), Some(at(200))));
        assert!(first.fence_floor >= 1 << 40);
        let second = first.promoted(Some(4), 5, 2, at(100)).continuity;
        assert!(second.fence_floor - first.fence_floor > 1 << 39, "even if the clock was set back");
        let twin = beating().promoted(Some(3), 4, 1, at(300)).continuity;
        assert!(twin.fence_floor - first.fence_floor >= 100 * 500, "one that does not know of the other");
        assert!(second.promoted(Some(5), 9_999, 9_998, at(0)).continuity.fence_floor < 1 << 53);
    }

    #[test]
    fn what_was_restored_goes_on_above_everything_that_was_given_out_since() {
        let first = beating().restored(at(200)).continuity;
        assert_eq!((first.pulse_at, first.resumed_at), (Some(at(200)), Some(at(200))));
        assert!((1 << 40..1 << 53).contains(&first.fence_floor));
        let again = beating().restored(at(201)).continuity;
        assert!(again.fence_floor - first.fence_floor >= 1_000_000);
        for now in [at(100), at(300)] {
            for next in [again.restored(now), again.promoted(Some(1), 2, 1, now)] {
                let above = next.continuity.fence_floor - again.fence_floor;
                assert!(above >= 1_000_000, "though the clock was set back, or a standby takes over: {above}");
            }
        }
        let step = |seconds| numbers_left_out(Some(at(0)), at(seconds));
        assert_eq!((step(0), step(-3_600), step(60)), (1_000_000, 1_000_000, 1_120_000));
    }

    #[test]
    fn a_registry_that_was_away_says_so_and_forgives_the_silence() {
        for now in [at(106), at(3_700), at(-3_500)] {
            assert!(!beating().is_unbroken(now));
            let pulse = beating().pulse(false, now).expect("it is back");
            assert_eq!(pulse.event, Some(resumed(Some(at(100)), Vec::new())));
            assert!(pulse.continuity.is_unbroken(now));
            assert_eq!(pulse.continuity.forgives(at(99), now), Some(now));
            assert_eq!(pulse.continuity.forgives(now, now), None);
            assert_eq!(pulse.continuity.fence_floor, 7);
        }
    }
}
