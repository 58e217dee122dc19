//! Natural batches: whatever queued up for a location while the last commit ran goes into the
//! next transaction. No timer, so a lone caller waits for nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep};

use super::RegistryError;
use super::watch::Watchers;
use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::location::LocationName;
use crate::store::{Batch, Decided, Store, StoreError};

/// Commands of one location in one transaction.
const MOST_PER_BATCH: usize = 256;
/// Commands of all locations that wait for an answer.
const MOST_WAITING: usize = 20_000;
/// How long a command is tried again while the database is away or disagrees.
const RETRY_FOR: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

type Lane = Option<LocationName>;

pub struct Lanes {
    store: Arc<dyn Store>,
    watchers: Arc<Watchers>,
    /// A lane is here exactly as long as a worker empties it.
    queues: Mutex<HashMap<Lane, VecDeque<Waiting>>>,
    places: Arc<Semaphore>,
}

struct Waiting {
    command: Command,
    answer: oneshot::Sender<Result<Answer, RegistryError>>,
    _place: OwnedSemaphorePermit,
}

impl Lanes {
    pub fn new(store: Arc<dyn Store>, watchers: Arc<Watchers>) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(MOST_WAITING));
        Arc::new(Self { store, watchers, queues: Mutex::default(), places })
    }

    /// Puts the command into its location's next batch and waits for the answer, which comes
    /// after the commit. A caller that goes away does not stop the command.
    pub async fn submit(self: &Arc<Self>, lane: Lane, command: Command) -> Result<Answer, RegistryError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| RegistryError::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { command, answer, _place: place };
        let needs_worker = {
            let mut queues = self.queues();
            let needs_worker = !queues.contains_key(&lane);
            queues.entry(lane.clone()).or_default().push_back(waiting);
            needs_worker
        };
        if needs_worker {
            tokio::spawn(Worker { lanes: Arc::clone(self), lane }.run());
        }
        answered.await.unwrap_or_else(|_| Err(RegistryError::Broken("the command's worker ended early".to_owned())))
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Lane, VecDeque<Waiting>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides the commands together. If one of them breaks the transaction, each is decided
    /// alone, so that the others do not suffer for it.
    async fn decide(&self, lane: &Lane, commands: Vec<Command>) -> Vec<Result<Answer, RegistryError>> {
        let count = commands.len();
        match self.try_decide(lane, commands.clone()).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(RegistryError::Broken(_)) if count > 1 => {
                let mut answers = Vec::with_capacity(count);
                for command in commands {
                    let alone = self.try_decide(lane, vec![command]).await;
                    answers.push(alone.map(|mut answers| answers.remove(0)));
                }
                answers
            }
            Err(error) => vec![Err(error); count],
        }
    }

    /// Tries again while the database is away or another transaction came between, and looks at
    /// least once more where it is unknown what happened.
    async fn try_decide(&self, lane: &Lane, commands: Vec<Command>) -> Result<Vec<Answer>, RegistryError> {
        let mut batch = Batch { location: lane.clone(), commands, is_retry: false };
        let give_up = Instant::now() + RETRY_FOR;
        let mut pause = FIRST_PAUSE;
        let mut unknown = false;
        loop {
            let error = match self.store.decide(&batch).await {
                Ok(Decided { answers, changed }) => {
                    self.watchers.wake(&changed);
                    return Ok(answers);
                }
                Err(error) => error,
            };
            tracing::warn!(location = lane.as_ref().map(LocationName::as_str), "a batch was not decided: {error}");
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

/// Empties one lane, then ends.
struct Worker {
    lanes: Arc<Lanes>,
    lane: Lane,
}

impl Worker {
    async fn run(self) {
        while let Some(batch) = self.next_batch() {
            let commands = batch.iter().map(|waiting| waiting.command.clone()).collect();
            let answers = self.lanes.decide(&self.lane, commands).await;
            for (waiting, answer) in batch.into_iter().zip(answers) {
                // Whoever asked may be gone; what was decided stays decided.
                let _ = waiting.answer.send(answer);
            }
        }
    }

    /// Takes what has queued up; with nothing left, gives the lane up in the same breath.
    fn next_batch(&self) -> Option<Vec<Waiting>> {
        let mut queues = self.lanes.queues();
        let queue = queues.get_mut(&self.lane)?;
        if queue.is_empty() {
            queues.remove(&self.lane);
            return None;
        }
        let size = queue.len().min(MOST_PER_BATCH);
        Some(queue.drain(..size).collect())
    }
}

impl Drop for Worker {
    /// After a panic the lane must not look as if somebody still emptied it. Those who wait in
    /// it get an error, since their senders are dropped.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.lanes.queues().remove(&self.lane);
        }
    }
}
