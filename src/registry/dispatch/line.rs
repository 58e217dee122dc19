//! Who waits for a decision, location by location.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::registry::RegistryError;
use crate::registry::dispatch::Location;
use crate::registry::dispatch::rest::Rest;

/// Commands in one transaction.
const MOST_PER_BATCH: usize = 256;
/// Beside a transaction of more commands none is begun, unless it is full: what comes meanwhile makes one large
/// transaction, which costs far less than two small ones.
const FEW: usize = 2;
/// Workers that have stepped aside. Each holds a connection to the database, of which others need
/// some.
const MOST_ASIDE: usize = 4;

pub struct Waiting {
    pub command: Command,
    pub caller: Caller,
}

/// Who gets the answer, and takes up a place until then.
pub struct Caller {
    answer: oneshot::Sender<Result<Answer, RegistryError>>,
    _place: OwnedSemaphorePermit,
}

impl Caller {
    pub const fn new(answer: oneshot::Sender<Result<Answer, RegistryError>>, place: OwnedSemaphorePermit) -> Self {
        Self { answer, _place: place }
    }

    pub fn tell(self, answer: Result<Answer, RegistryError>) {
        // Whoever asked may be gone; what was decided stays decided.
        let _ = self.answer.send(answer);
    }
}

pub struct Line {
    /// Those of a location that is in here and in neither of the next two are being decided, or wait for that.
    queues: HashMap<Location, VecDeque<Waiting>>,
    /// The locations that a worker may take up, the longest waiting first. So each is in one
    /// transaction of this server at a time.
    ready: VecDeque<Location>,
    /// The locations where only beats wait, and those for more of them.
    rest: Rest,
    /// How many workers there may be, and how many there are.
    most_workers: usize,
    workers: usize,
    /// How many more wait for something that takes long.
    aside: usize,
    /// Commands that workers have taken, but for those that take long, or are waited for alone.
    in_hand: usize,
}

impl Line {
    pub fn new(most_workers: usize) -> Self {
        Self {
            queues: HashMap::new(),
            ready: VecDeque::new(),
            rest: Rest::default(),
            most_workers,
            workers: 0,
            aside: 0,
            in_hand: 0,
        }
    }

    pub fn add(&mut self, location: Location, waiting: Waiting, now: Instant) {
        let may_rest = may_rest(&waiting);
        if let Some(queue) = self.queues.get_mut(&location) {
            queue.push_back(waiting);
            if !may_rest && self.rest.leave(&location) {
                self.ready.push_back(location);
            }
        } else {
            self.queues.insert(location.clone(), VecDeque::from([waiting]));
            self.line_up(location, may_rest, now);
        }
    }

    fn line_up(&mut self, location: Location, may_rest: bool, now: Instant) {
        if !may_rest || !self.rest.begin(&location, now) {
            self.ready.push_back(location);
        }
    }

    /// When those who rest are to be roused, if nobody was told yet.
    pub fn alarm(&mut self) -> Option<Instant> {
        self.rest.alarm()
    }

    /// The time to rest is over.
    pub fn rouse(&mut self, now: Instant) {
        self.ready.extend(self.rest.end(now));
    }

    /// Whether another worker has something to do, which is then counted.
    pub fn needs_worker(&mut self) -> bool {
        let needs_worker = !self.ready.is_empty() && self.workers < self.most_workers && !self.is_busy();
        self.workers += usize::from(needs_worker);
        needs_worker
    }

    /// A worker ends.
    pub fn leave(&mut self, is_aside: bool) {
        if is_aside { self.aside -= 1 } else { self.workers -= 1 }
    }

    /// Makes way for another worker, since this one waits for something that takes long.
    pub fn step_aside(&mut self) -> bool {
        let may = self.aside < MOST_ASIDE;
        if may {
            self.workers -= 1;
            self.aside += 1;
        }
        may
    }

    /// Comes back, unless there are enough workers by now.
    pub fn come_back(&mut self) -> bool {
        let may = self.workers < self.most_workers;
        if may {
            self.aside -= 1;
            self.workers += 1;
        }
        may
    }

    /// Whether nobody takes up anything beside what is in hand.
    const fn is_busy(&self) -> bool {
        self.in_hand > FEW && self.in_hand < MOST_PER_BATCH
    }

    /// So many of those that were taken are decided, or take long.
    pub const fn put_down(&mut self, commands: usize) {
        self.in_hand -= commands;
    }

    /// Takes what has queued up, location by location; nothing beside a transaction of many. A key for the same request
    /// at two locations is decided in two transactions, one of which sees the other.
    pub fn take(&mut self) -> Vec<(Location, Vec<Waiting>)> {
        let mut batch = Vec::new();
        let mut keys = HashSet::new();
        let mut room = if self.is_busy() { 0 } else { MOST_PER_BATCH };
        while room > 0
            && let Some(location) = self.ready.pop_front()
        {
            let Some(queue) = self.queues.get_mut(&location) else { continue };
            let count = queue.len().min(room);
            let here: HashSet<String> = queue.iter().take(count).filter_map(key).collect();
            if !keys.is_disjoint(&here) {
                self.ready.push_front(location);
                break;
            }
            keys.extend(here);
            room -= count;
            self.in_hand += count;
            batch.push((location, queue.drain(..count).collect()));
        }
        batch
    }

    /// Takes what has queued up at one location that was not given back.
    pub fn take_alone(&mut self, location: Location) -> Vec<(Location, Vec<Waiting>)> {
        let Some(queue) = self.queues.get_mut(&location) else { return Vec::new() };
        let waiting = queue.drain(..queue.len().min(MOST_PER_BATCH)).collect();
        vec![(location, waiting)]
    }

    /// Puts those back in front who were not decided.
    pub fn put_back(&mut self, location: &Location, waiting: Vec<Waiting>) {
        let queue = self.queues.entry(location.clone()).or_default();
        for one in waiting.into_iter().rev() {
            queue.push_front(one);
        }
    }

    /// Whoever waits at these locations is next, at those that were not decided before all others.
    pub fn give_back(&mut self, locations: Vec<(Location, bool)>, now: Instant) {
        let (decided, undecided): (Vec<_>, Vec<_>) = locations.into_iter().partition(|(_, was_decided)| *was_decided);
        for (location, _) in undecided.into_iter().rev() {
            self.ready.push_front(location);
        }
        for (location, _) in decided {
            match self.queues.get(&location) {
                Some(queue) if queue.is_empty() => {
                    self.queues.remove(&location);
                }
                queue => {
                    let fills_a_batch = |queue: &VecDeque<Waiting>| queue.len() >= MOST_PER_BATCH;
                    let may_rest = queue.is_some_and(|queue| !fills_a_batch(queue) && queue.iter().all(may_rest));
                    self.line_up(location, may_rest, now);
                }
            }
        }
    }

    /// Lets go of a location, and of all who wait there.
    pub fn forget(&mut self, location: &Location) {
        self.queues.remove(location);
    }
}

const fn may_rest(waiting: &Waiting) -> bool {
    matches!(waiting.command, Command::Beat { .. })
}

fn key(waiting: &Waiting) -> Option<String> {
    waiting.command.key().map(|key| key.hash.clone())
}

#[cfg(test)]
mod tests {
    use crate::domain::capacity::location::LocationName;
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::domain::execution::idempotency::IdempotencyKey;
    use crate::domain::execution::lease::TokenHash;
    use crate::domain::execution::{Registration, RunId};

    fn waiting(command: Command) -> Waiting {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("a place");
        Waiting { command, caller: Caller::new(oneshot::channel().0, place) }
    }

    fn keyed(key: &str) -> Waiting {
        let text = || "x".to_owned();
        let key = Some(IdempotencyKey { hash: key.to_owned(), request_hash: text(), salt: text() });
        waiting(Command::Register(Registration { key, ..Registration::example() }))
    }

    fn place(name: &str) -> LocationName {
        LocationName::new(name)
    }

    fn taken(batch: &[(Location, Vec<Waiting>)]) -> Vec<(&str, usize)> {
        batch
            .iter()
            .map(|(location, waiting)| (location.as_ref().map_or("", |name| name.as_str()), waiting.len()))
            .collect()
    }

    #[test]
    fn one_key_at_two_locations_is_taken_in_two_batches() {
        let mut line = Line::new(2);
        for (name, key) in [("a", "one"), ("a", "one"), ("b", "two"), ("c", "one"), ("d", "three")] {
            line.add(Some(place(name)), keyed(key), Instant::now());
        }
        assert_eq!(taken(&line.take()), [("a", 2), ("b", 1)]);
        line.put_down(3);
        assert_eq!(taken(&line.take()), [("c", 1), ("d", 1)]);
    }

    #[test]
    fn nobody_begins_beside_more_than_a_few_commands_unless_they_fill_a_transaction() {
        let begins_beside = |commands: usize| {
            let mut line = Line::new(2);
            for _ in 0..commands {
                line.add(Some(place("a")), waiting(Command::Sweep), Instant::now());
            }
            assert!(line.needs_worker());
            line.take();
            line.add(Some(place("b")), waiting(Command::Sweep), Instant::now());
            let begins = line.needs_worker();
            let taken = line.take().len();
            assert_eq!(taken, usize::from(begins), "nor does a worker that is there already");
            line.put_down(commands);
            assert!(begins || line.needs_worker());
            begins
        };
        let tried = [1, FEW, FEW + 1, MOST_PER_BATCH - 1, MOST_PER_BATCH];
        assert_eq!(tried.map(begins_beside), [true, true, false, false, true]);
    }

    fn beat(run_id: i64) -> Waiting {
        waiting(Command::Beat { run_id: RunId(run_id), token: TokenHash(String::new()), hold_seconds: 0 })
    }

    #[test]
    fn beats_that_came_while_others_were_decided_rest_as_well_unless_they_fill_a_transaction() {
        let taken_at_once = |count: usize| {
            let mut line = Line::new(2);
            let now = Instant::now();
            line.add(Some(place("a")), beat(0), now);
            line.take();
            (0..count).for_each(|run_id| line.add(Some(place("a")), beat(run_id as i64), now));
            line.put_down(1);
            line.give_back(vec![(Some(place("a")), true)], now);
            let count = line.take().first().map_or(0, |(_, beats)| beats.len());
            assert_eq!(line.alarm().is_some(), count == 0);
            count
        };
        assert_eq!([1, MOST_PER_BATCH - 1, MOST_PER_BATCH].map(taken_at_once), [0, 0, MOST_PER_BATCH]);
    }

    #[test]
    fn whatever_does_not_rest_takes_the_beats_before_it_along() {
        let mut line = Line::new(2);
        let now = Instant::now();
        line.add(Some(place("a")), beat(1), now);
        line.take();
        line.put_down(1);
        for location in ["b", "c"] {
            line.add(Some(place(location)), beat(2), now);
        }
        line.add(Some(place("b")), waiting(Command::Sweep), now);
        line.add(Some(place("b")), beat(3), now);
        let batch = line.take();
        assert_eq!(taken(&batch), [("b", 3)]);
        assert!(
            matches!(batch[0].1[0].command, Command::Beat { run_id: RunId(2), .. }),
            "in the order of their coming"
        );
        line.put_down(3);
        line.rouse(now);
        assert_eq!(taken(&line.take()), [("c", 1)]);
    }

    #[test]
    fn whoever_was_not_decided_comes_before_all_others() {
        let mut line = Line::new(2);
        for name in ["a", "b", "c"] {
            line.add(Some(place(name)), waiting(Command::Sweep), Instant::now());
        }
        let [_, (held, here), (other, there)] = line.take().try_into().ok().expect("three locations");
        line.add(Some(place("a")), waiting(Command::Sweep), Instant::now());
        line.add(Some(place("b")), waiting(Command::Sweep), Instant::now());
        line.add(Some(place("d")), waiting(Command::Sweep), Instant::now());
        line.put_back(&held, here);
        line.put_back(&other, there);
        line.put_down(3);
        line.give_back(vec![(Some(place("a")), true), (held, false), (other, false)], Instant::now());
        assert_eq!(taken(&line.take()), [("b", 2), ("c", 1), ("d", 1), ("a", 1)]);
    }
}
