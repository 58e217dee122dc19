//! When would a test of this factor start, if it came now? The rule of the queue, run forward in time.

use jiff::{SignedDuration, Timestamp};

use super::board::{Board, BoardLocation};
use super::estimate::estimate_starts;
use super::queue::{Queue, Waiter};
use crate::domain::answer::Holder;
use crate::domain::capacity::factor::Factor;
use crate::domain::execution::Registration;

/// A test of the usual priority that would come now, and wait for as long as any may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub factor: Factor,
    /// How long it would run.
    pub expected_seconds: u32,
}

/// When it would start at a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WouldStart {
    AtOnce,
    /// Probably then.
    At(Timestamp),
    /// Not before the gate is opened, and nobody has said when that will be.
    OnceOpened,
    /// Never: this is the largest factor that fits.
    Never(Factor),
    /// Not within a day, or after runs of which nobody knows how long they take.
    Unknown,
}

impl Board {
    /// When it would start at one of the board's locations.
    #[must_use]
    pub fn would_start(&self, here: &BoardLocation, question: Question) -> WouldStart {
        let location = &here.location;
        if !location.could_ever_fit(question.factor) {
            return WouldStart::Never(location.largest_that_ever_fits());
        }
        if !here.is_whole() {
            return WouldStart::Unknown;
        }
        let longest = SignedDuration::from_secs(Registration::LONGEST_WAIT_SECONDS.into());
        let until = self.at.saturating_add(longest).unwrap_or(Timestamp::MAX);
        let asking = Waiter::supposed(question.factor, question.expected_seconds, self.at, until);
        let run_id = asking.run_id;
        let mut queue = Queue::new(here.queue.iter().map(|waiter| &waiter.execution));
        queue.join(asking);
        let holders: Vec<Holder> = here.running.iter().map(|run| Holder::of(&run.execution)).collect();
        let starts = estimate_starts(location, &self.registry, &holders, queue, self.at);
        match starts.get(&run_id) {
            Some(start) if *start <= self.at => WouldStart::AtOnce,
            Some(start) => WouldStart::At(*start),
            None if self.is_closed_for_good(here) => WouldStart::OnceOpened,
            None => WouldStart::Unknown,
        }
    }

    /// Whether a gate there is closed until somebody opens it.
    fn is_closed_for_good(&self, here: &BoardLocation) -> bool {
        let gates = [here.location.gate.at(self.at), self.registry.clone()];
        gates.iter().any(|gate| !gate.is_open() && gate.until.is_none())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::capacity::location::{Location, LocationName};
    use crate::domain::execution::{Details, Execution, RunId};
    use crate::domain::gate::{Gate, GateState};
    use crate::domain::schedule::board::BoardSnapshot;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).expect("in range")
    }

    fn registration(millionths: i64, expected_seconds: Option<u32>) -> Registration {
        let details = Details {
            factor: Some(Factor::from_millionths(millionths)),
            location: Some(LocationName::new("here")),
            ..Details::clone(&Registration::example().details)
        };
        Registration { wait_seconds: 3_600, expected_seconds, details: Arc::new(details), ..Registration::example() }
    }

    /// With a run of 0.6 since 0, and perhaps a waiter of 0.5 that would run for 300 s.
    fn board(expected_seconds: Option<u32>, waits: bool, gate: Gate) -> Board {
        let run = Execution::started(&registration(600_000, expected_seconds), RunId(1), at(0), 1);
        let waiter = Execution::queued(&registration(500_000, Some(300)), RunId(2), at(10));
        let queued: Vec<Execution> = Some(waiter).filter(|_| waits).into_iter().collect();
        let location = Location {
            used: run.factor(),
            running: 1,
            waiting: queued.len() as i64,
            gate,
            ..Location::unused(Some(LocationName::new("here")))
        };
        Board::new(
            BoardSnapshot { registry: Gate::OPEN, locations: vec![location], running: vec![run], queued },
            at(60),
        )
    }

    fn ask(board: &Board, millionths: i64) -> WouldStart {
        let question = Question { factor: Factor::from_millionths(millionths), expected_seconds: 120 };
        board.would_start(&board.locations[0], question)
    }

    #[test]
    fn what_fits_starts_at_once_and_what_does_not_once_there_is_room() {
        let board = board(Some(600), false, Gate::OPEN);
        assert_eq!(ask(&board, 399_999), WouldStart::AtOnce);
        assert_eq!(ask(&board, 400_000), WouldStart::At(at(600)));
        assert_eq!(ask(&board, 1_000_000), WouldStart::Never(Factor::from_millionths(999_999)));
    }

    #[test]
    fn it_comes_after_whoever_waits_already() {
        let board = board(Some(600), true, Gate::OPEN);
        assert_eq!(ask(&board, 100_000), WouldStart::At(at(600)), "beside the one that waits");
        assert_eq!(ask(&board, 500_000), WouldStart::At(at(900)), "after the one that waits");
    }

    #[test]
    fn nothing_is_told_where_nobody_knows() {
        assert_eq!(ask(&board(None, false, Gate::OPEN), 500_000), WouldStart::Unknown);
        let closed = |until: Option<i64>| Gate { state: GateState::Draining, until: until.map(at), ..Gate::OPEN };
        assert_eq!(ask(&board(Some(600), false, closed(None)), 100_000), WouldStart::OnceOpened);
        assert_eq!(ask(&board(Some(600), false, closed(Some(90))), 100_000), WouldStart::At(at(90)));
        let mut part = board(Some(600), false, Gate::OPEN);
        part.locations[0].location.running = 2;
        assert_eq!(ask(&part, 100_000), WouldStart::Unknown);
    }
}
