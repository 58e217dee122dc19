//! Which processes have heard a signal already when it reaches the guard.
//!
//! A key of the terminal reaches the group of the load; a CI system signals the wrapper, the wrapper's group, or each
//! process of the tree by itself. Only by waiting for a moment can the guard tell these apart: where the wrapper and
//! the guard both hear the same signal, somebody is signalling the whole tree, one process after the other.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

/// What is heard again within so long is the same signal, on its way through the tree.
pub const SPREAD: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The kernel sent it to the group of the load, for a key or since the terminal is gone.
    Terminal,
    /// Another process sent it to the guard, or to its group.
    Guard,
    /// The wrapper heard it.
    Wrapper,
}

/// Who has to be sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Everything,
    /// The group has heard it at that time of /proc.
    OutsideGroup {
        heard_at: u64,
    },
    /// Everything that ran at that time of /proc has heard it.
    Nothing {
        heard_at: u64,
    },
}

/// A signal that was heard, and from where so far.
struct Heard {
    signal: Signal,
    at: Instant,
    ticks: u64,
    sources: Vec<Source>,
    is_passed_on: bool,
}

impl Heard {
    fn reach(&self) -> Reach {
        let heard_at = self.ticks;
        let has = |source| self.sources.contains(&source);
        match (has(Source::Terminal), has(Source::Guard), has(Source::Wrapper)) {
            (false, false, _) => Reach::Everything,
            (false, true, true) => Reach::Nothing { heard_at },
            _ => Reach::OutsideGroup { heard_at },
        }
    }
}

/// The signals that are on their way through the tree.
#[derive(Default)]
pub struct Hearing(Vec<Heard>);

impl Hearing {
    /// Takes note of a signal; `ticks` is the time by which /proc says when a process was started.
    pub fn hear(&mut self, signal: Signal, source: Source, at: Instant, ticks: u64) {
        let same = self.0.iter_mut().find(|heard| heard.signal == signal && at < heard.at + SPREAD);
        match same {
            // A key that is pressed again is another signal, however soon it comes.
            Some(heard) if !(source == Source::Terminal && heard.is_passed_on && heard.sources == [source]) => {
                heard.sources.push(source);
            }
            _ => {
                self.0.retain(|heard| heard.signal != signal || !heard.is_passed_on);
                self.0.push(Heard { signal, at, ticks, sources: vec![source], is_passed_on: false });
            }
        }
    }

    /// When there is something to do.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().map(|heard| if heard.is_passed_on { heard.at + SPREAD } else { heard.due() }).min()
    }

    /// Whether a signal waits to be passed on.
    pub fn is_waiting(&self) -> bool {
        self.0.iter().any(|heard| !heard.is_passed_on)
    }

    /// The signals to pass on now.
    pub fn due(&mut self, now: Instant) -> Vec<(Signal, Reach)> {
        let mut due = Vec::new();
        for heard in self.0.iter_mut().filter(|heard| !heard.is_passed_on && heard.due() <= now) {
            heard.is_passed_on = true;
            due.push((heard.signal, heard.reach()));
        }
        self.0.retain(|heard| !heard.is_passed_on || now < heard.at + SPREAD);
        due
    }
}

impl Heard {
    /// What the terminal sends reaches one group only, so there is nothing to wait for.
    fn due(&self) -> Instant {
        if self.sources.contains(&Source::Terminal) { self.at } else { self.at + SPREAD }
    }
}

#[cfg(test)]
mod tests {
    use super::Source::{Guard, Terminal, Wrapper};
    use super::*;

    const GROUP: Reach = Reach::OutsideGroup { heard_at: 7 };
    const NOTHING: Reach = Reach::Nothing { heard_at: 7 };

    /// What is passed on of what is heard at these milliseconds, and when.
    fn story(heard: &[(u64, Source)]) -> Vec<(u64, Reach)> {
        let start = Instant::now();
        let mut hearing = Hearing::default();
        let mut passed_on = Vec::new();
        for milliseconds in 0..2000 {
            let now = start + Duration::from_millis(milliseconds);
            for (_, source) in heard.iter().filter(|(at, _)| *at == milliseconds) {
                hearing.hear(Signal::INT, *source, now, 7);
            }
            if hearing.next().is_some_and(|next| next <= now) {
                passed_on.extend(hearing.due(now).into_iter().map(|(_, reach)| (milliseconds, reach)));
            }
        }
        assert!(hearing.next().is_none(), "everything is forgotten");
        passed_on
    }

    #[test]
    fn a_signal_goes_where_it_was_not_heard() {
        for (heard, expected) in [
            (&[(0, Wrapper)][..], &[(200, Reach::Everything)][..]),
            (&[(0, Terminal)], &[(0, GROUP)]),
            (&[(0, Guard)], &[(200, GROUP)]),
            (&[(0, Guard), (90, Wrapper)], &[(200, NOTHING)]),
            (&[(0, Wrapper), (90, Guard)], &[(200, NOTHING)]),
        ] {
            assert_eq!(story(heard), expected, "{heard:?}");
        }
    }

    #[test]
    fn one_signal_that_is_heard_again_and_again_is_passed_on_once() {
        for (heard, expected) in [
            // timeout signals its child and then its group.
            (&[(0, Wrapper), (1, Wrapper)][..], &[(200, Reach::Everything)][..]),
            // A terminal that closes: the kernel signals one group, the shell another.
            (&[(0, Terminal), (3, Wrapper)], &[(0, GROUP)]),
            (&[(0, Wrapper), (3, Terminal)], &[(3, GROUP)]),
            (&[(0, Wrapper), (3, Terminal), (9, Wrapper)], &[(3, GROUP)]),
        ] {
            assert_eq!(story(heard), expected, "{heard:?}");
        }
    }

    #[test]
    fn a_second_interrupt_is_passed_on_as_well() {
        for (heard, expected) in [
            (&[(0, Wrapper), (500, Wrapper)][..], &[(200, Reach::Everything), (700, Reach::Everything)][..]),
            (&[(0, Terminal), (90, Terminal)], &[(0, GROUP), (90, GROUP)]),
            (&[(0, Guard), (10, Wrapper), (300, Wrapper)], &[(200, NOTHING), (500, Reach::Everything)]),
        ] {
            assert_eq!(story(heard), expected, "{heard:?}");
        }
    }
}
