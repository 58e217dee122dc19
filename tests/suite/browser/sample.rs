//! A registry with believable tests, filled by the real rule with a clock that stands in the past and moves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use perfreg::clock::{Clock, SimulatedClock};
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::{Details, Execution, Outcome, RunId};
use perfreg::domain::gate::{Gate, GateState};
use perfreg::registry::{Cancellation, Registered, Registry, Request};
use perfreg::store::Store;
use serde_json::json;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::names::{PROFILES, Profile, hostile_names, profile};
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::Http;
use crate::support::server::TestServer;

/// Nothing of the sample falls silent while it is looked at.
const LEASE_SECONDS: u32 = 3_600;
/// Of the run that is to be suspect.
const SHORT_LEASE_SECONDS: u32 = 1_200;
/// As often as the registry has to write that it is there.
const PULSE_SECONDS: i64 = 4;
const BETWEEN_BEATS: Duration = Duration::from_secs(15);

/// What a registry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Empty,
    /// About ten tests run, a few wait, and some dozens have ended.
    Few,
    /// As few, after ten thousand others.
    TenThousand,
    /// As few, beside names that nobody would choose.
    Hostile,
}

/// A server whose registry holds such tests.
pub struct Sample {
    pub server: TestServer,
    /// Dropped with it.
    _database: TestDatabase,
    _waiters: Waiters,
    /// Some runs of it, for the pages of one; none of an empty registry.
    pub runs: Option<Runs>,
    /// One that runs, of which every name has 255 letters.
    pub long_named: Option<i64>,
}

/// The run_ids of tests in several states.
#[derive(Clone, Copy, Debug)]
pub struct Runs {
    pub leased: i64,
    pub without_lease: i64,
    pub suspect: i64,
    pub overdue: i64,
    pub stopping: i64,
    pub waiting: i64,
    pub success: i64,
    pub failure: i64,
    pub cancelled: i64,
}

impl Sample {
    pub async fn of(size: Size) -> Self {
        let database = TestDatabase::new(Engine::Sqlite).await;
        let (mut runs, mut long_named) = (None, None);
        let mut waiters = Vec::new();
        if size != Size::Empty {
            let mut world = World::begin(&database).await;
            if size == Size::TenThousand {
                world.live_for_long(10_000).await;
            }
            if size == Size::Hostile {
                long_named = world.meet_hostile_names().await.first().copied();
            }
            runs = Some(world.live_until_now().await);
            waiters = world.waiters;
        }
        let server = TestServer::start(&database.url);
        let waiters = Waiters::keep(waiters, server.http());
        Self { server, _database: database, _waiters: waiters, runs, long_named }
    }
}

/// The registry while it is filled.
struct World {
    store: Arc<dyn Store>,
    registry: Registry,
    clock: SimulatedClock,
    now: Timestamp,
    waiters: Vec<Started>,
}

/// Who waits has to be heard of within a minute.
struct Waiters(AbortHandle);

impl Waiters {
    fn keep(waiters: Vec<Started>, http: Http) -> Self {
        let beating = async move {
            loop {
                for waiter in &waiters {
                    let body = json!({"run_id": waiter.run_id.0, "lease_token": waiter.secret});
                    http.post("/heartbeat", &body).await;
                }
                sleep(BETWEEN_BEATS).await;
            }
        };
        Self(tokio::spawn(beating).abort_handle())
    }
}

impl Drop for Waiters {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A test that runs or waits, with its secret if it has a lease.
struct Started {
    run_id: RunId,
    secret: Option<String>,
}

impl World {
    async fn begin(database: &TestDatabase) -> Self {
        let now = perfreg::clock::now();
        let clock = SimulatedClock::starting_at(now - SignedDuration::from_hours(31 * 24));
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let registry = Registry::new(Arc::clone(&store));
        let world = Self { store, registry, clock, now, waiters: Vec::new() };
        for (name, capacity) in [("aws-eu", "4"), ("azure-k8s", "1"), ("lab-2", "1"), ("onprem-vm", "2")] {
            world.set(name, Some(capacity), None).await;
        }
        world
    }

    async fn set(&self, name: &str, capacity: Option<&str>, gate: Option<Gate>) {
        let capacity = capacity.map(|text| Factor::parse(text).expect("a capacity"));
        let by = Some("ops".to_owned());
        self.registry.set_location(LocationName::new(name), capacity, gate, by).await.expect("it is set");
    }

    /// Lets the time pass until so long before now.
    fn pass_until(&self, ago: SignedDuration) {
        let left = (self.now - ago).duration_since(self.clock.now());
        assert!(!left.is_negative(), "the sample is told in its order, but {ago:?} ago is over");
        self.clock.advance(left);
    }

    async fn register(&self, request: Request) -> Started {
        match self.registry.register(request).await.expect("an answer") {
            Registered::Started(Execution { run_id, .. }, secret) => Started { run_id, secret },
            other => panic!("it starts, instead of {other:?}"),
        }
    }

    async fn queue(&mut self, profile: &Profile) -> i64 {
        let request = Request { wait_seconds: 4 * 3_600, ..leased(profile, LEASE_SECONDS) };
        match self.registry.register(request).await.expect("an answer") {
            Registered::Queued(Execution { run_id, .. }, _, secret) => {
                self.waiters.push(Started { run_id, secret });
                run_id.0
            }
            other => panic!("it waits, instead of {other:?}"),
        }
    }

    async fn complete(&self, run: &Started, outcome: Outcome) {
        self.registry.complete(run.run_id, outcome, run.secret.as_deref(), None).await.expect("an answer");
    }

    async fn cancel(&self, run_id: RunId, reason: &str, force: bool) {
        let cancellation = Cancellation { reason: Some(reason.to_owned()), by: Some("mira".to_owned()), force };
        self.registry.cancel(run_id, cancellation).await.expect("an answer");
    }

    async fn beat(&self, run: &Started) {
        let secret = run.secret.as_deref().expect("it has a lease");
        self.registry.heartbeat(run.run_id, secret, None, Duration::ZERO).await.expect("an answer");
    }

    /// Tests that ran one batch after the other, over a month.
    async fn live_for_long(&self, count: usize) {
        const AT_ONCE: usize = 50;
        let step = SignedDuration::from_hours(25 * 24) / i32::try_from(count / AT_ONCE).expect("few batches");
        for batch in 0..count / AT_ONCE {
            let profiles = (0..AT_ONCE).map(|number| &PROFILES[(number * 7 + batch) % PROFILES.len()]);
            let requests = profiles
                .map(|profile| Request::plain(Details { factor: Factor::parse("0.01").ok(), ..profile.details() }));
            let runs = join_all(requests.map(|request| self.register(request))).await;
            for (part, outcome) in
                [Outcome::Success, Outcome::Success, Outcome::Failure, Outcome::Success].into_iter().enumerate()
            {
                self.clock.advance(step / 5);
                let ending = runs.iter().skip(part).step_by(4).map(|run| self.complete(run, outcome));
                join_all(ending).await;
            }
            self.clock.advance(step / 5);
        }
    }

    /// Names as an older database may hold them, some of which would be refused today. Returns what runs, a run for each name.
    async fn meet_hostile_names(&self) -> Vec<i64> {
        let mut running = Vec::new();
        for name in hostile_names() {
            let details = Details {
                repo: name.clone(),
                lac: name.clone(),
                stream: name.clone(),
                test: name.clone(),
                kind: name.clone(),
                environment: name.clone(),
                triggered_by: name.clone(),
                factor: Factor::parse("0.4").ok(),
                dashboard_url: Some("https://dashboard.example.com/d/run?from=now-1h&to=now".to_owned()),
                location: Some(LocationName::new(&name)),
                extra: "{}".to_owned(),
            };
            let ended = self.register(Request::plain(details.clone())).await;
            self.clock.advance(SignedDuration::from_mins(20));
            self.cancel(ended.run_id, &name, true).await;
            let request = Request { expected_seconds: Some(1_800), ..Request::plain(details) };
            running.push(self.register(request).await.run_id.0);
        }
        running
    }

    /// Earlier runs of the same tests over some days, and then what runs and waits now.
    async fn live_until_now(&mut self) -> Runs {
        let [success, failure, cancelled] = self.live_through_some_days().await;
        // It remembers for a real minute how long tests will run.
        self.registry = Registry::new(Arc::clone(&self.store));
        let minutes = SignedDuration::from_mins;
        self.pass_until(minutes(230));
        let overdue = self.start("kernel-baseline", "lab-2").await;
        let invoices = self.register(Request::plain(profile("invoices-month-end", "onprem-vm").details())).await;
        self.pass_until(minutes(70));
        let reindex = self.start("reindex-load", "aws-eu").await;
        self.drain("lab-2", "network switch change CHG-881", self.now + minutes(88)).await;
        self.pass_until(minutes(58));
        let canary = self.start("search-canary", "aws-eu").await;
        self.pass_until(minutes(34));
        let checkout = self.start("checkout-peak", "azure-k8s").await;
        let nowhere = Details { location: None, factor: None, ..profile("push-burst", "aws-eu").details() };
        self.register(Request::plain(nowhere)).await;
        self.pass_until(minutes(25));
        let suggest = self.start("suggest-stress", "azure-k8s").await;
        let suspect = self.register(leased(profile("refunds-load", "onprem-vm"), SHORT_LEASE_SECONDS)).await;
        self.pulse_until(minutes(11)).await;
        let waiting = self.queue(profile("login-spike", "azure-k8s")).await;
        self.pulse_until(minutes(6)).await;
        self.queue(profile("gateway-baseline", "azure-k8s")).await;
        self.queue(profile("fio-endurance", "lab-2")).await;
        let burst = self.start("push-burst", "aws-eu").await;
        self.pulse_until(minutes(2)).await;
        self.queue(profile("cart-smoke", "azure-k8s")).await;
        self.register(Request::plain(profile("cart-smoke", "aws-eu").details())).await;
        for run in [&overdue, &reindex, &canary, &checkout, &suggest, &burst] {
            self.beat(run).await;
        }
        self.cancel(canary.run_id, "wrong build", false).await;
        self.pulse_until(SignedDuration::ZERO).await;
        self.registry.sweep(true).await.expect("everybody is looked at");
        let id = |run: &Started| run.run_id.0;
        let (leased, without_lease, suspect) = (id(&checkout), id(&invoices), id(&suspect));
        let (overdue, stopping) = (id(&overdue), id(&canary));
        Runs { leased, without_lease, suspect, overdue, stopping, waiting, success, failure, cancelled }
    }

    async fn start(&self, test: &str, location: &str) -> Started {
        self.register(leased(profile(test, location), LEASE_SECONDS)).await
    }

    async fn drain(&self, location: &str, reason: &str, until: Timestamp) {
        let (reason, by) = (Some(reason.to_owned()), Some("ops".to_owned()));
        let gate = Gate { state: GateState::Draining, reason, by, until: Some(until) };
        self.set(location, None, Some(gate)).await;
    }

    /// Lets the time pass while the registry is there: only then does a silence count.
    async fn pulse_until(&self, ago: SignedDuration) {
        let step = SignedDuration::from_secs(PULSE_SECONDS);
        let until = self.now - ago;
        while self.clock.now() < until {
            self.clock.advance(step.min(until.duration_since(self.clock.now())));
            self.registry.pulse().await.expect("an answer");
            for waiter in &self.waiters {
                self.beat(waiter).await;
            }
        }
    }

    /// Each test a few times, two beside each other; gives one of each outcome.
    async fn live_through_some_days(&self) -> [i64; 3] {
        self.pass_until(SignedDuration::from_hours(80));
        let mut outcomes = [0; 3];
        for round in 0..3_usize {
            for (number, pair) in PROFILES.chunks(2).enumerate() {
                let runs = join_all(pair.iter().map(|profile| self.register(Request::plain(profile.details())))).await;
                let mut both: Vec<(&Profile, &Started)> = pair.iter().zip(&runs).collect();
                both.sort_by_key(|(profile, _)| profile.minutes);
                let mut passed = SignedDuration::ZERO;
                for (one, (profile, run)) in both.into_iter().enumerate() {
                    let percent = 96 + (round * 5 + number * 3) as i64 % 9;
                    let lasted = SignedDuration::from_secs(profile.minutes * 60 * percent / 100);
                    self.clock.advance(lasted - passed);
                    passed = lasted;
                    let outcome = self.end(run, (round * 5 + number * 2 + one) % 8).await;
                    outcomes[outcome] = run.run_id.0;
                }
            }
        }
        outcomes
    }

    /// One of eight fails, and one is cancelled.
    async fn end(&self, run: &Started, of_eight: usize) -> usize {
        match of_eight {
            3 => self.complete(run, Outcome::Failure).await,
            6 => self.cancel(run.run_id, "a newer build is there", true).await,
            _ => self.complete(run, Outcome::Success).await,
        }
        [0, 0, 0, 1, 0, 0, 2, 0][of_eight]
    }
}

fn leased(profile: &Profile, lease_seconds: u32) -> Request {
    Request { lease_seconds: Some(lease_seconds), ..Request::plain(profile.details()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_holds_a_test_in_every_state() {
    let sample = Sample::of(Size::Few).await;
    let runs = sample.runs.expect("some");
    let http = sample.server.http();
    for (run_id, field, value) in [
        (runs.leased, "status", json!("running")),
        (runs.leased, "suspect", json!(false)),
        (runs.without_lease, "lease_seconds", json!(null)),
        (runs.suspect, "suspect", json!(true)),
        (runs.overdue, "overdue", json!(true)),
        (runs.waiting, "status", json!("queued")),
        (runs.success, "status", json!("success")),
        (runs.failure, "status", json!("failure")),
        (runs.cancelled, "status", json!("cancelled")),
    ] {
        let execution = http.get(&format!("/executions/{run_id}")).await.json();
        assert_eq!(execution[field], value, "{execution}");
    }
    let stopping = http.get(&format!("/executions/{}", runs.stopping)).await.json();
    assert_eq!(stopping["stop"]["reason"], "wrong build", "{stopping}");
    assert!(http.get("/board").await.text.contains("network switch change CHG-881"));
}
