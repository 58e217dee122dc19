//! Natural batches: whatever queued up for the locations while the last commits ran goes into the
//! next transaction, several locations together. No timer, so a lone caller waits for nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep};

use super::RegistryError;
use super::watchers::Watchers;
use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::location::LocationName;
use crate::store::{Batch, Decided, Lane, Store, StoreError};

/// Commands in one transaction.
const MOST_PER_BATCH: usize = 256;
/// Commands of all locations that wait for an answer.
const MOST_WAITING: usize = 20_000;
/// How long a command is tried again while the database is away or disagrees.
const RETRY_FOR: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

type Location = Option<LocationName>;

pub struct Lanes {
    store: Arc<dyn Store>,
    watchers: Arc<Watchers>,
    line: Mutex<Line>,
    places: Arc<Semaphore>,
}

/// Who waits for a decision.
#[derive(Default)]
struct Line {
    /// Those of a location that is in here and not in `ready` are being decided, or wait for that.
    queues: HashMap<Location, VecDeque<Waiting>>,
    /// The locations that a worker may take up, the longest waiting first. So each is in one
    /// transaction of this server at a time.
    ready: VecDeque<Location>,
    workers: usize,
}

struct Waiting {
    command: Command,
    caller: Caller,
}

/// Who gets the answer, and takes up a place until then.
struct Caller {
    answer: oneshot::Sender<Result<Answer, RegistryError>>,
    _place: OwnedSemaphorePermit,
}

impl Lanes {
    pub fn new(store: Arc<dyn Store>, watchers: Arc<Watchers>) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(MOST_WAITING));
        Arc::new(Self { store, watchers, line: Mutex::default(), places })
    }

    /// Puts the command into its location's next batch and waits for the answer, which comes
    /// after the commit. A caller that goes away does not stop the command.
    pub async fn submit(self: &Arc<Self>, location: Location, command: Command) -> Result<Answer, RegistryError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| RegistryError::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        if self.line().add(
            location,
            Waiting { command, caller: Caller { answer, _place: place } },
            self.store.transactions_at_once(),
        ) {
            tokio::spawn(Worker { lanes: Arc::clone(self), deciding: Vec::new() }.run());
        }
        answered.await.unwrap_or_else(|_| Err(RegistryError::Broken("the command's worker ended early".to_owned())))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides the commands together. If one of them breaks the transaction, each is decided
    /// alone, so that the others do not suffer for it.
    async fn decide(&self, lanes: Vec<Lane>) -> Vec<Result<Answer, RegistryError>> {
        let mut batch = Batch { lanes, is_retry: false };
        let count = batch.lanes.iter().map(|lane| lane.commands.len()).sum();
        match self.try_decide(&mut batch).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(RegistryError::Broken(_)) if count > 1 => {
                let mut answers = Vec::with_capacity(count);
                for Lane { location, commands } in batch.lanes {
                    for command in commands {
                        let mut alone = Batch::of(location.clone(), vec![command]);
                        answers.push(self.try_decide(&mut alone).await.map(|mut answers| answers.remove(0)));
                    }
                }
                answers
            }
            Err(error) => vec![Err(error); count],
        }
    }

    /// Tries again while the database is away or another transaction came between, and looks at
    /// least once more where it is unknown what happened.
    async fn try_decide(&self, batch: &mut Batch) -> Result<Vec<Answer>, RegistryError> {
        let give_up = Instant::now() + RETRY_FOR;
        let mut pause = FIRST_PAUSE;
        let mut unknown = false;
        loop {
            let error = match self.store.decide(batch).await {
                Ok(Decided { answers, changed }) => {
                    self.watchers.wake(&changed);
                    return Ok(answers.into_iter().flatten().collect());
                }
                Err(error) => error,
            };
            let location = batch.lanes.first().and_then(|lane| lane.location.as_ref()).map(LocationName::as_str);
            let locations = batch.lanes.len();
            tracing::warn!(location, locations, "a batch was not decided: {error}");
            unknown |= matches!(error, StoreError::CommitUnknown(_));
            let temporary =
                matches!(error, StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::CommitUnknown(_));
            if !temporary || (batch.is_retry && Instant::now() >= give_up) {
                let reason = error.to_string();
                return Err(if unknown { RegistryError::OutcomeUnknown(reason) } else { error.into() });
            }
            batch.is_retry = true;
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Line {
    /// Says whether one more worker is needed, of whom there may be so many.
    fn add(&mut self, location: Location, waiting: Waiting, most_workers: usize) -> bool {
        if let Some(queue) = self.queues.get_mut(&location) {
            queue.push_back(waiting);
            return false;
        }
        self.queues.insert(location.clone(), VecDeque::from([waiting]));
        self.ready.push_back(location);
        let needs_worker = self.workers < most_workers;
        self.workers += usize::from(needs_worker);
        needs_worker
    }

    /// Takes what has queued up, location by location.
    fn take(&mut self) -> Vec<(Location, Vec<Waiting>)> {
        let mut batch = Vec::new();
        let mut room = MOST_PER_BATCH;
        while room > 0
            && let Some(location) = self.ready.pop_front()
            && let Some(queue) = self.queues.get_mut(&location)
        {
            let waiting: Vec<Waiting> = queue.drain(..queue.len().min(room)).collect();
            room -= waiting.len();
            batch.push((location, waiting));
        }
        batch
    }

    /// Whoever has come to these locations meanwhile is next.
    fn give_back(&mut self, locations: Vec<Location>) {
        for location in locations {
            if self.queues.get(&location).is_some_and(VecDeque::is_empty) {
                self.queues.remove(&location);
            } else {
                self.ready.push_back(location);
            }
        }
    }
}

/// Decides batch after batch, and ends when nobody waits.
struct Worker {
    lanes: Arc<Lanes>,
    /// The locations of the batch that it decides.
    deciding: Vec<Location>,
}

impl Worker {
    async fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            let mut callers = Vec::new();
            let lane = |(location, waiting): (Location, Vec<Waiting>)| {
                let (commands, here): (Vec<_>, Vec<_>) =
                    waiting.into_iter().map(|Waiting { command, caller }| (command, caller)).unzip();
                callers.extend(here);
                Lane { location, commands }
            };
            let lanes = batch.into_iter().map(lane).collect();
            for (caller, answer) in callers.into_iter().zip(self.lanes.decide(lanes).await) {
                // Whoever asked may be gone; what was decided stays decided.
                let _ = caller.answer.send(answer);
            }
        }
    }

    /// Takes what has queued up; with nothing left, the worker is done in the same breath.
    fn next_batch(&mut self) -> Option<Vec<(Location, Vec<Waiting>)>> {
        let mut line = self.lanes.line();
        line.give_back(std::mem::take(&mut self.deciding));
        let batch = line.take();
        if batch.is_empty() {
            line.workers -= 1;
            return None;
        }
        self.deciding = batch.iter().map(|(location, _)| location.clone()).collect();
        Some(batch)
    }
}

impl Drop for Worker {
    /// After a panic its locations must not look as if somebody still decided them. Those who
    /// wait there get an error, since their senders are dropped.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut line = self.lanes.line();
            line.workers -= 1;
            for location in &self.deciding {
                line.queues.remove(location);
            }
        }
    }
}
