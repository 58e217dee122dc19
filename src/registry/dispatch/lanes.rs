//! Natural batches: whatever queued up for the locations while the last commits ran goes into the
//! next transaction, several locations together. A lone caller waits for no timer; a beat soon after
//! another waits for more of them.
//! `line.rs` has who waits, `worker.rs` takes them up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::domain::activity::{Activity, ActivityKind};
use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::EndReason;
use crate::metrics::Metrics;
use crate::registry::RegistryError;
use crate::registry::dispatch::Location;
use crate::registry::dispatch::line::{Caller, Line, Waiting};
use crate::registry::dispatch::worker::Worker;
use crate::registry::follow::tail::NewsCount;
use crate::registry::follow::watchers::Watchers;
use crate::store::{Batch, Decided, Lane, Store, StoreError};

/// Commands of all locations that wait for an answer.
const MOST_WAITING: usize = 20_000;
/// How long a command is tried again while the database is away or disagrees.
const RETRY_FOR: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

pub struct Lanes {
    store: Arc<dyn Store>,
    watchers: Arc<Watchers>,
    metrics: Arc<Metrics>,
    /// Grows with every batch that is decided here.
    news: NewsCount,
    line: Mutex<Line>,
    places: Arc<Semaphore>,
}

/// What became of a lane.
pub enum Fate {
    /// In the order of its commands.
    Decided(Vec<Result<Answer, RegistryError>>),
    /// Others hold its location; nothing was done.
    Held(Vec<Command>),
}

impl Lanes {
    pub fn new(store: Arc<dyn Store>, watchers: Arc<Watchers>, metrics: Arc<Metrics>, news: NewsCount) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(MOST_WAITING));
        let line = Mutex::new(Line::new(store.transactions_at_once()));
        Arc::new(Self { store, watchers, metrics, news, line, places })
    }

    /// How many commands wait for an answer.
    pub fn waiting(&self) -> usize {
        MOST_WAITING - self.places.available_permits()
    }

    /// Puts the command into its location's next batch and waits for the answer, which comes
    /// after the commit. A caller that goes away does not stop the command.
    pub async fn submit(self: &Arc<Self>, location: Location, command: Command) -> Result<Answer, RegistryError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| RegistryError::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        self.line().add(location, Waiting { command, caller: Caller::new(answer, place) }, Instant::now());
        self.start_worker();
        answered.await.unwrap_or_else(|_| Err(RegistryError::Broken("the command's worker ended early".to_owned())))
    }

    /// Starts one more worker if somebody waits whom nobody takes up, and sees to it that those who rest are roused.
    pub fn start_worker(self: &Arc<Self>) {
        let mut line = self.line();
        let (needs_worker, alarm) = (line.needs_worker(), line.alarm());
        drop(line);
        if needs_worker {
            tokio::spawn(Worker::new(Arc::clone(self)).run());
        }
        if let Some(at) = alarm {
            tokio::spawn(Arc::clone(self).rouse(at));
        }
    }

    async fn rouse(self: Arc<Self>, at: Instant) {
        sleep_until(at).await;
        self.line().rouse(Instant::now());
        self.start_worker();
    }

    pub fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides the lanes together. If a command breaks the transaction, each is decided alone, so
    /// that the others do not suffer for it. Lanes whose locations others hold are given back.
    pub async fn decide(&self, lanes: Vec<Lane>) -> Vec<Fate> {
        let mut batch = Batch { lanes, is_retry: false };
        let count: usize = batch.lanes.iter().map(|lane| lane.commands.len()).sum();
        match self.try_decide(&mut batch).await {
            Ok(answers) => {
                let fate = |(answers, lane): (Option<Vec<Answer>>, Lane)| match answers {
                    Some(answers) => Fate::Decided(answers.into_iter().map(Ok).collect()),
                    None => Fate::Held(lane.commands),
                };
                answers.into_iter().zip(batch.lanes).map(fate).collect()
            }
            Err(RegistryError::Broken(_)) if count > 1 => {
                let mut fates = Vec::with_capacity(batch.lanes.len());
                for Lane { location, commands } in batch.lanes {
                    let mut answers = Vec::with_capacity(commands.len());
                    for command in commands {
                        answers.push(self.decide_alone(&location, command).await);
                    }
                    fates.push(Fate::Decided(answers));
                }
                fates
            }
            Err(error) => {
                batch.lanes.iter().map(|lane| Fate::Decided(vec![Err(error.clone()); lane.commands.len()])).collect()
            }
        }
    }

    async fn decide_alone(&self, location: &Location, command: Command) -> Result<Answer, RegistryError> {
        let answers = self.try_decide(&mut Batch::of(location.clone(), vec![command])).await?;
        let none = || RegistryError::Broken("a lane alone was not decided".to_owned());
        answers.into_iter().flatten().flatten().next().ok_or_else(none)
    }

    /// Tries again while the database is away or another transaction came between, and looks at
    /// least once more where it is unknown what happened.
    async fn try_decide(&self, batch: &mut Batch) -> Result<Vec<Option<Vec<Answer>>>, RegistryError> {
        let give_up = Instant::now() + RETRY_FOR;
        let mut pause = FIRST_PAUSE;
        let mut unknown = false;
        loop {
            let begun = Instant::now();
            let decided = self.store.decide(batch).await;
            let commands = batch.lanes.iter().map(|lane| lane.commands.len()).sum();
            self.metrics.decisions.observe(begun.elapsed(), commands);
            let error = match decided {
                Ok(decided) => {
                    self.news.add();
                    self.watchers.wake(&decided.changed);
                    self.count(batch, &decided);
                    return Ok(decided.answers);
                }
                Err(error) => error,
            };
            unknown |= matches!(error, StoreError::CommitUnknown(_));
            let temporary =
                matches!(error, StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::CommitUnknown(_));
            let is_last = !temporary || (batch.is_retry && Instant::now() >= give_up);
            log(batch, &error, is_last);
            if is_last {
                let reason = error.to_string();
                return Err(if unknown { RegistryError::OutcomeUnknown(reason) } else { error.into() });
            }
            batch.is_retry = true;
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Counts and logs what was decided, once it is committed.
    fn count(&self, batch: &Batch, decided: &Decided) {
        for (lane, answers) in batch.lanes.iter().zip(&decided.answers) {
            let answers = answers.as_deref().unwrap_or_default();
            self.metrics.runs.count_registrations(lane.location.as_ref(), &lane.commands, answers);
        }
        for activity in &decided.activities {
            self.metrics.runs.count(activity);
            log_activity(activity);
        }
    }
}

/// Logs each start out of the queue, each end and each request to stop once, when it is committed, whoever hears the answer.
fn log_activity(Activity { run_id, details, kind, asked_by, reason }: &Activity) {
    let (run_id, location) = (run_id.0, details.location.as_ref().map(LocationName::as_str));
    let (test, by) = (details.test.as_str(), details.triggered_by.as_str());
    let (asked_by, reason) = (asked_by.as_deref(), reason.as_deref());
    match kind {
        ActivityKind::Started { waited } => {
            let (factor, waited_seconds) = (details.factor.unwrap_or_default(), waited.as_secs());
            tracing::info!(run_id, test, location, %factor, by, waited_seconds, "started");
        }
        ActivityKind::StopRequested => {
            tracing::info!(run_id, test, location, by, asked_by, reason, "asked to stop");
        }
        ActivityKind::Ended { status, reason: end_reason, .. } => {
            let (status, end_reason) = (status.as_str(), end_reason.map(EndReason::as_str));
            tracing::info!(run_id, test, location, by, status, end_reason, asked_by, reason, "ended");
        }
    }
}

/// Warns when a batch fails, and when it is not tried again; that a standby is missing was said when it went away.
fn log(batch: &Batch, error: &StoreError, is_last: bool) {
    let location = batch.lanes.first().and_then(|lane| lane.location.as_ref()).map(LocationName::as_str);
    let locations = batch.lanes.len();
    if matches!(error, StoreError::NoStandby(_)) || (batch.is_retry && !is_last) {
        tracing::debug!(location, locations, "a batch was not decided: {error}");
    } else {
        tracing::warn!(location, locations, "a batch was not decided: {error}");
    }
}
