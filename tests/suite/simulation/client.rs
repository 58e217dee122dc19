//! A client: registers tests, waits for their turn, beats, completes, and does not always behave.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::priority::Priority;
use perfreg::domain::execution::{Execution, Outcome, RunId, Status};
use perfreg::domain::gate::{Gate, GateState};
use perfreg::registry::{
    Beaten, Cancellation, Completed, Idempotency, Registered, Registry, RegistryError, Request, Until,
};
use tokio::time::{Instant, sleep};

use super::chance::Chance;
use super::evidence::check_end;
use super::trace::Who;
use super::world::{REPLICAS, World};
use crate::support::details;

const LOCATIONS: [Option<&str>; 4] = [Some("here"), Some("here"), Some("there"), None];
/// How often a client asks again for an answer that did not come.
const MOST_ATTEMPTS: usize = 8;
/// How long a call is held.
const HELD_FOR: Duration = Duration::from_secs(35);
/// However much goes wrong on the way, news is told after this at the latest.
const LATEST_NEWS: Duration = Duration::from_secs(30);

pub struct Client {
    pub world: Arc<World>,
    pub number: usize,
    pub chance: Chance,
}

/// A test that a client runs.
struct Test {
    request: Request,
    name: String,
}

/// What a client holds once it was told of it.
struct Held {
    run: Execution,
    secret: Option<String>,
    /// When the last word that was heard was sent.
    heard: Instant,
}

impl Client {
    pub async fn live(self) {
        for number in 0..self.chance.within(1..=4) {
            self.pause(0..=6_000).await;
            match self.chance.within(0..=99) {
                0..=9 => self.set_location().await,
                10..=14 => self.set_registry().await,
                15..=29 => self.cancel_somebody().await,
                30..=44 => self.burst(number).await,
                _ => self.run_test(number).await,
            }
        }
    }

    async fn pause(&self, milliseconds: std::ops::RangeInclusive<u32>) {
        sleep(Duration::from_millis(self.chance.within(milliseconds).into())).await;
    }

    fn note(&self, what: &'static str, number: i64) {
        self.world.trace.note(Who::Client(self.number), what, number);
    }

    /// Asks any replica. No answer comes from one that dies, which is as good as an unknown outcome.
    async fn ask<T, F>(&self, call: impl FnOnce(Arc<Registry>) -> F) -> Result<T, RegistryError>
    where
        F: Future<Output = Result<T, RegistryError>>,
    {
        self.ask_replica(self.chance.pick(&REPLICAS), call).await
    }

    async fn ask_replica<T, F>(&self, replica: usize, call: impl FnOnce(Arc<Registry>) -> F) -> Result<T, RegistryError>
    where
        F: Future<Output = Result<T, RegistryError>>,
    {
        let died = || Err(RegistryError::OutcomeUnknown("it died".to_owned()));
        let answer = self.world.ask(replica, call).await.unwrap_or_else(died);
        if let Err(error @ (RegistryError::Broken(_) | RegistryError::Overloaded)) = &answer {
            self.world.trace.check(false, || format!("a client was told: {error}"));
        }
        answer
    }

    /// Asks again until somebody answers.
    async fn ask_until_answered<T, F>(&self, call: impl Fn(Arc<Registry>) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, RegistryError>>,
    {
        for _ in 0..MOST_ATTEMPTS {
            if let Ok(answer) = self.ask(&call).await {
                return Some(answer);
            }
            self.pause(100..=1_000).await;
        }
        None
    }

    fn any_gate(&self) -> Gate {
        let state = self.chance.pick(&[GateState::Open, GateState::Draining, GateState::Stopped]);
        let until = self.world.now() + jiff::SignedDuration::from_secs(self.chance.within(1..=8).into());
        Gate { state, reason: Some("simulated".to_owned()), by: None, until: Some(until) }
    }

    async fn set_location(&self) {
        let name = LocationName::new(self.chance.pick(&["here", "there"]));
        let capacity = self.chance.happens(50).then(|| Factor::from_millionths(self.chance.within(4..=20).into()));
        let capacity = capacity.map(|tenths| Factor::from_millionths(tenths.millionths() * 100_000));
        let gate = self.chance.happens(50).then(|| self.any_gate());
        let set = self.ask(|registry| async move { registry.set_location(name, capacity, gate, None).await }).await;
        self.note("set a location", set.is_ok().into());
    }

    async fn set_registry(&self) {
        let gate = self.any_gate();
        let set = self.ask(|registry| async move { registry.set_gate(gate).await }).await;
        self.note("set the registry", set.is_ok().into());
    }

    async fn cancel_somebody(&self) {
        let run_ids: Vec<RunId> = self.world.database().executions.keys().copied().collect();
        if run_ids.is_empty() {
            return;
        }
        let (run_id, force) = (self.chance.pick(&run_ids), self.chance.happens(50));
        let cancellation = Cancellation { force, ..Cancellation::default() };
        let answer = self.ask(|registry| async move { registry.cancel(run_id, cancellation).await }).await;
        self.note("cancelled", run_id.0);
        if let Ok(Completed::Ended(_)) = answer {
            self.world.evidence().ended(run_id, Outcome::Cancelled, &self.world.trace);
        }
    }

    fn any_test(&self, number: u32) -> Test {
        let name = format!("{}-{number}", self.number);
        let chance = &self.chance;
        let wait_seconds = if chance.happens(60) { chance.within(5..=90) } else { 0 };
        let is_leased = wait_seconds > 0 || chance.happens(50);
        let mut details = details(chance.pick(&LOCATIONS), "0");
        details.test.clone_from(&name);
        let tenths = chance.within(0..=7);
        details.factor = Some(Factor::from_millionths(i64::from(tenths) * 100_000 + i64::from(chance.within(0..=1))));
        let idempotency = Idempotency { key: name.clone(), request: name.clone().into_bytes() };
        let request = Request {
            priority: Priority::new(u8::try_from(chance.within(3..=6)).expect("a digit")).expect("a priority"),
            wait_seconds,
            lease_seconds: is_leased.then(|| chance.within(10..=15)),
            expected_seconds: chance.happens(80).then_some(20),
            idempotency: chance.happens(60).then_some(idempotency),
            ..Request::plain(details)
        };
        Test { request, name }
    }

    /// Several tests at once through one replica, which decides them together. Whatever comes of them is cancelled.
    async fn burst(&self, number: u32) {
        let (replica, location, heard) = (self.chance.pick(&REPLICAS), self.chance.pick(&LOCATIONS), Instant::now());
        let several = |index| {
            let mut test = self.any_test(10 * (number + 1) + index);
            test.request.details.location = location.map(LocationName::new);
            test
        };
        let tests: Vec<Test> = (0..self.chance.within(3..=6)).map(several).collect();
        let registering = tests.iter().map(|test| {
            let request = test.request.clone();
            self.ask_replica(replica, |registry| async move { registry.register(request).await })
        });
        for (test, answer) in tests.iter().zip(join_all(registering).await) {
            if let Some(held) = self.take_answer(test, answer, heard) {
                self.end(test, &held, Outcome::Cancelled).await;
            }
        }
    }

    async fn run_test(&self, number: u32) {
        let test = self.any_test(number);
        let Some(mut held) = self.register(&test).await else { return };
        if held.run.status == Status::Queued && !self.wait(&test, &mut held).await {
            return;
        }
        if self.run(&test, &mut held).await {
            self.complete(&test, &held).await;
        }
    }

    /// Registers; with a key again and again until there is an answer, and sometimes once more.
    async fn register(&self, test: &Test) -> Option<Held> {
        let has_key = test.request.idempotency.is_some();
        let attempts = if has_key { MOST_ATTEMPTS } else { 1 };
        let mut held = None;
        // What is sent again is no heartbeat.
        let heard = Instant::now();
        for attempt in 0..attempts {
            let register = || {
                self.ask(|registry| {
                    let request = test.request.clone();
                    async move { registry.register(request).await }
                })
            };
            let answers = if has_key && self.chance.happens(15) {
                let (one, other) = join(register(), register()).await;
                vec![one, other]
            } else {
                vec![register().await]
            };
            let is_known = answers.iter().all(Result::is_ok);
            for answer in answers {
                held = self.take_answer(test, answer, heard).or(held);
            }
            if is_known && (attempt > 0 || self.chance.happens(80)) {
                break;
            }
            self.pause(50..=1_000).await;
        }
        held
    }

    fn take_answer(&self, test: &Test, answer: Result<Registered, RegistryError>, heard: Instant) -> Option<Held> {
        let (run, secret) = match answer {
            Ok(Registered::Again(first)) => return self.take_answer(test, Ok(*first), heard),
            Ok(Registered::Started(run, secret) | Registered::Queued(run, _, secret)) => (run, secret),
            Ok(Registered::Refused(_) | Registered::FactorTooLarge { .. }) => {
                self.note("is refused", 0);
                self.world.evidence().not_done(&test.name);
                return None;
            }
            Ok(other @ (Registered::KeyReused | Registered::UnknownLocation(_))) => {
                self.world.trace.check(false, || format!("{} was answered {other:?}", test.name));
                return None;
            }
            Err(error) => {
                self.note("is told nothing of its test", 0);
                // A request with a key may have been carried out the time before.
                if test.request.idempotency.is_none() && !matches!(error, RegistryError::OutcomeUnknown(_)) {
                    self.world.evidence().not_done(&test.name);
                }
                return None;
            }
        };
        self.note(if run.status == Status::Queued { "is queued as" } else { "is started as" }, run.run_id.0);
        self.world.evidence().told(&test.name, &run, secret.clone(), &self.world.trace);
        Some(Held { run, secret, heard })
    }

    /// Says that it is alive; nothing if nobody heard it.
    async fn beat(&self, held: &mut Held) -> Option<Beaten> {
        let (run_id, secret, sent) = (held.run.run_id, held.secret.clone().unwrap_or_default(), Instant::now());
        let beaten = self
            .ask(|registry| async move { registry.heartbeat(run_id, &secret, None, Duration::ZERO).await })
            .await
            .ok()?;
        if matches!(beaten, Beaten::Alive(..)) {
            held.heard = sent;
        }
        Some(beaten)
    }

    /// Waits for its turn; says whether it came.
    async fn wait(&self, test: &Test, held: &mut Held) -> bool {
        loop {
            let silent_since = held.heard;
            match self.beat(held).await {
                Some(Beaten::Alive(run, _)) if run.status == Status::Running => {
                    self.note("is told to run", run.run_id.0);
                    held.run = run;
                    return true;
                }
                Some(Beaten::Alive(..)) => {}
                Some(Beaten::Over(run)) => {
                    self.note("is told that it is over", run.run_id.0);
                    check_end(&run, test.request.wait_seconds, silent_since.elapsed(), &self.world.trace);
                    return false;
                }
                Some(other) => {
                    self.world.trace.check(false, || format!("a waiter's beat was answered {other:?}"));
                    return false;
                }
                None => {
                    self.pause(100..=500).await;
                    continue;
                }
            }
            if self.chance.happens(8) {
                self.note("goes away", held.run.run_id.0);
                return false;
            }
            if self.chance.happens(8) {
                self.end(test, held, Outcome::Cancelled).await;
                return false;
            }
            self.watch(held.run.run_id).await;
        }
    }

    /// A held call: it is answered when there is news, and not much later.
    async fn watch(&self, run_id: RunId) {
        let until = Some(Until::News(Status::Queued));
        let answer = self.ask(|registry| async move { registry.watch(run_id, until, HELD_FOR).await }).await;
        let Ok(Some(run)) = answer else { return };
        self.note("hears of", run_id.0);
        let is_told = run.status != Status::Queued;
        let changed_at = self.world.database().changed_at_ms.get(&run_id).copied().unwrap_or_default();
        let late = self.world.trace.milliseconds() - changed_at;
        let still_queued = self.world.database().executions[&run_id].status == Status::Queued;
        let in_time = is_told || still_queued || late < LATEST_NEWS.as_millis();
        self.world.trace.check(in_time, || format!("run {run_id} was not told of its turn for {late} ms"));
    }

    /// Runs for a while; says whether there is an end to tell of.
    async fn run(&self, test: &Test, held: &mut Held) -> bool {
        let ends = Instant::now() + Duration::from_secs(self.chance.within(1..=30).into());
        let Some(lease) = held.run.lease.clone() else {
            tokio::time::sleep_until(ends).await;
            return true;
        };
        while Instant::now() < ends {
            match self.chance.within(0..=99) {
                0..=4 => {
                    self.note("dies", held.run.run_id.0);
                    return false;
                }
                5..=9 => self.pause(lease.seconds * 1_000..=lease.seconds * 2_500).await,
                _ => sleep(Duration::from_secs(lease.seconds.into()) / 3).await,
            }
            let silent_since = held.heard;
            match self.beat(held).await {
                Some(Beaten::Alive(run, _)) if run.stop.is_some() => return true,
                Some(Beaten::Alive(..)) | None => {}
                Some(Beaten::Over(run)) => {
                    self.note("has lost", run.run_id.0);
                    check_end(&run, test.request.wait_seconds, silent_since.elapsed(), &self.world.trace);
                    return self.chance.happens(50);
                }
                Some(other) => self.world.trace.check(false, || format!("a beat was answered {other:?}")),
            }
        }
        true
    }

    async fn complete(&self, test: &Test, held: &Held) {
        let outcome = self.chance.pick(&[Outcome::Success, Outcome::Failure, Outcome::Cancelled]);
        self.end(test, held, outcome).await;
    }

    async fn end(&self, test: &Test, held: &Held, outcome: Outcome) {
        let run_id = held.run.run_id;
        let complete = |registry: Arc<Registry>| {
            let secret = held.secret.clone();
            async move { registry.complete(run_id, outcome, secret.as_deref(), None).await }
        };
        match self.ask_until_answered(complete).await {
            Some(Completed::Ended(_)) => {
                self.note("has ended", run_id.0);
                self.world.evidence().ended(run_id, outcome, &self.world.trace);
            }
            Some(Completed::EndedOtherwise(run)) => {
                self.note("had ended otherwise", run_id.0);
                check_end(&run, test.request.wait_seconds, held.heard.elapsed(), &self.world.trace);
            }
            Some(other) => self.world.trace.check(false, || format!("an end was answered {other:?}")),
            None => self.note("cannot tell its end", run_id.0),
        }
    }
}
