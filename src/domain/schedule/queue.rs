//! Who waits for a location, and in which order.
//!
//! By priority, which is raised by one for every ten minutes waited so that nothing starves, then
//! by arrival. Two waiters of equal priority never change places, so one line for each priority is
//! enough: the first of all is the first of one of the lines.

use std::cmp::Reverse;
use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::Location;
use crate::domain::execution::priority::Priority;
use crate::domain::execution::{Execution, RunId};

/// How many may wait for one location.
pub const MOST_WAITING: usize = 10_000;
const SECONDS_PER_STEP: i64 = 600;
const LINES: usize = Priority::LARGEST as usize + 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    pub run_id: RunId,
    priority: Priority,
    queued_at: Timestamp,
    /// When it gives up.
    pub until: Timestamp,
    pub factor: Factor,
    pub expected_seconds: Option<u32>,
}

impl Waiter {
    /// One of the usual priority that comes last, with the number that no run has.
    #[must_use]
    pub const fn supposed(factor: Factor, expected_seconds: u32, now: Timestamp, until: Timestamp) -> Self {
        let (run_id, priority) = (RunId(i64::MAX), Priority::DEFAULT);
        Self { run_id, priority, queued_at: now, until, factor, expected_seconds: Some(expected_seconds) }
    }

    fn arrival(&self) -> (Timestamp, RunId) {
        (self.queued_at, self.run_id)
    }

    /// The smallest goes first.
    fn rank(&self, now: Timestamp) -> impl Ord + use<> {
        let waited = now.duration_since(self.queued_at).as_secs().max(0);
        (Reverse(i64::from(self.priority.get()) + waited / SECONDS_PER_STEP), self.arrival())
    }
}

/// Everybody who waits for one location.
///
/// A waiter that has been silent for too long is passed over: it keeps its place, and goes before the others again once
/// it is heard of.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    present: Lines,
    silent: Lines,
}

/// One line for each priority, each in the order of arrival.
#[derive(Clone, Debug, Default)]
struct Lines([VecDeque<Waiter>; LINES]);

impl Lines {
    fn of(&self, priority: Priority) -> &VecDeque<Waiter> {
        &self.0[usize::from(priority.get())]
    }

    fn push(&mut self, waiter: Waiter) {
        let line = &mut self.0[usize::from(waiter.priority.get())];
        let index = line.partition_point(|other| other.arrival() < waiter.arrival());
        line.insert(index, waiter);
    }

    fn remove(&mut self, execution: &Execution) {
        if let Some(index) = self.index_of(execution) {
            self.0[usize::from(execution.priority.get())].remove(index);
        }
    }

    /// Where it is in the line of its priority.
    fn index_of(&self, execution: &Execution) -> Option<usize> {
        let arrival = (execution.place.as_ref()?.queued_at, execution.run_id);
        self.of(execution.priority).binary_search_by_key(&arrival, Waiter::arrival).ok()
    }

    fn get(&self, execution: &Execution) -> Option<&Waiter> {
        self.of(execution.priority).get(self.index_of(execution)?)
    }

    fn fronts(&self) -> impl Iterator<Item = &Waiter> {
        self.0.iter().filter_map(VecDeque::front)
    }

    fn len(&self) -> usize {
        self.0.iter().map(VecDeque::len).sum()
    }
}

impl Queue {
    /// Those of the executions that are queued.
    pub fn new<'run>(executions: impl IntoIterator<Item = &'run Execution>) -> Self {
        let mut queue = Self::default();
        for execution in executions {
            queue.push(execution);
        }
        queue
    }

    /// Does nothing for an execution that does not wait.
    pub fn push(&mut self, execution: &Execution) {
        let Some(place) = &execution.place else { return };
        let waiter = Waiter {
            run_id: execution.run_id,
            priority: execution.priority,
            queued_at: place.queued_at,
            until: place.until,
            factor: execution.factor(),
            expected_seconds: execution.expected_seconds,
        };
        self.lines_of(execution).push(waiter);
    }

    /// One that is heard of.
    pub fn join(&mut self, waiter: Waiter) {
        self.present.push(waiter);
    }

    /// Does nothing for an execution that is not in it.
    pub fn remove(&mut self, execution: &Execution) {
        self.lines_of(execution).remove(execution);
    }

    fn lines_of(&mut self, execution: &Execution) -> &mut Lines {
        if execution.is_suspect() { &mut self.silent } else { &mut self.present }
    }

    /// Everybody in it, those who are passed over last, by priority and then by arrival.
    pub fn waiters(&self) -> impl Iterator<Item = &Waiter> {
        self.present.0.iter().rev().chain(self.silent.0.iter().rev()).flatten()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.present.len() + self.silent.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are not passed over.
    #[must_use]
    pub fn present(&self) -> usize {
        self.present.len()
    }

    /// Who goes next: nobody who is passed over.
    #[must_use]
    pub fn first(&self, now: Timestamp) -> Option<&Waiter> {
        self.present.fronts().min_by_key(|waiter| waiter.rank(now))
    }

    /// Takes out whoever starts now: the first, if it fits. Nobody overtakes the first.
    pub fn pop_first_if_fits(&mut self, location: &Location, now: Timestamp) -> Option<Waiter> {
        let fits = self.first(now).is_some_and(|first| location.fits(first.factor));
        if fits { self.pop_first(now) } else { None }
    }

    pub fn pop_first(&mut self, now: Timestamp) -> Option<Waiter> {
        let line = self.first(now)?.priority.get();
        self.present.0[usize::from(line)].pop_front()
    }

    /// Those who go first, at most so many.
    #[must_use]
    pub fn first_few(&self, most: usize, now: Timestamp) -> Vec<RunId> {
        // Nobody further back in a line can be among them.
        let mut few: Vec<&Waiter> = self.present.0.iter().flat_map(|line| line.iter().take(most)).collect();
        few.sort_by_cached_key(|waiter| waiter.rank(now));
        few.into_iter().take(most).map(|waiter| waiter.run_id).collect()
    }

    /// How many go before this one.
    #[must_use]
    pub fn ahead_of(&self, execution: &Execution, now: Timestamp) -> usize {
        let Some(waiter) = self.present.get(execution).or_else(|| self.silent.get(execution)) else { return 0 };
        // Along a line the rank only grows, since a later arrival waited no longer.
        self.present.0.iter().map(|line| line.partition_point(|other| other.rank(now) < waiter.rank(now))).sum()
    }

    /// When the waiting of one of those who could become the first next counts for more.
    #[must_use]
    pub fn next_step(&self, now: Timestamp) -> Option<Timestamp> {
        let step = |waiter: &Waiter| {
            let waited = now.duration_since(waiter.queued_at).as_secs().max(0);
            waiter.queued_at + SignedDuration::from_secs((waited / SECONDS_PER_STEP + 1) * SECONDS_PER_STEP)
        };
        // With one line alone the order never changes.
        let lines = self.present.fronts().count();
        self.present.fronts().map(step).min().filter(|_| lines > 1)
    }

    /// When the last of them came.
    #[must_use]
    pub fn latest_arrival(&self) -> Option<Timestamp> {
        let lines = self.present.0.iter().chain(&self.silent.0);
        lines.filter_map(VecDeque::back).map(|waiter| waiter.queued_at).max()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::execution::Registration;

    #[derive(Clone, Debug)]
    enum Step {
        Come(u8),
        Go(usize),
        Start,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![4 => (0..=9_u8).prop_map(Step::Come), 1 => any::<usize>().prop_map(Step::Go), 2 => Just(Step::Start)]
    }

    fn waiter(run_id: i64, priority: u8, now: Timestamp) -> Execution {
        let registration = Registration {
            priority: Priority::new(priority).expect("up to 9"),
            wait_seconds: 3_600,
            ..Registration::example()
        };
        Execution::queued(&registration, RunId(run_id), now)
    }

    /// As the order is promised: by what the priority is worth by now, then by arrival.
    fn promised_order(waiting: &mut [Execution], now: Timestamp) {
        waiting.sort_by_key(|run| {
            let queued_at = run.place.as_ref().map(|place| place.queued_at).expect("it waits");
            let worth = i64::from(run.priority.get()) + now.duration_since(queued_at).as_secs() / 600;
            (-worth, run.run_id)
        });
    }

    proptest! {
        #[test]
        fn no_queue_lets_anybody_before_an_earlier_one_of_the_same_priority(
            steps in vec((0..500_i64, any_step()), 1..40),
        ) {
            let (mut queue, mut waiting): (Queue, Vec<Execution>) = Default::default();
            let mut now = Timestamp::UNIX_EPOCH;
            for (run_id, (seconds, step)) in (1..).zip(steps) {
                now += SignedDuration::from_secs(seconds);
                promised_order(&mut waiting, now);
                match step {
                    Step::Come(priority) => {
                        let run = waiter(run_id, priority, now);
                        queue.push(&run);
                        waiting.push(run);
                    }
                    Step::Go(index) if !waiting.is_empty() => {
                        queue.remove(&waiting.remove(index % waiting.len()));
                    }
                    Step::Start if !waiting.is_empty() => {
                        let first = waiting.remove(0);
                        let overtaken = |run: &Execution| run.priority == first.priority && run.run_id < first.run_id;
                        prop_assert!(!waiting.iter().any(overtaken));
                        prop_assert_eq!(queue.pop_first(now).map(|waiter| waiter.run_id), Some(first.run_id));
                    }
                    Step::Go(_) | Step::Start => prop_assert!(queue.pop_first(now).is_none()),
                }
                promised_order(&mut waiting, now);
                let order: Vec<RunId> = waiting.iter().map(|run| run.run_id).collect();
                prop_assert_eq!(queue.first_few(usize::MAX, now), order);
                for (ahead, run) in waiting.iter().enumerate() {
                    prop_assert_eq!(queue.ahead_of(run, now), ahead);
                }
            }
        }
    }
}
