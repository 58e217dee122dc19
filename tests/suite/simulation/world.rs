//! Replicas above one database, in a time that passes at once.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::{Execution, Status};
use perfreg::domain::gate::Gate;
use perfreg::metrics::DatabaseMetrics;
use perfreg::registry::{Cancellation, Registry, RegistryError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::chance::Chance;
use super::connection::Connection;
use super::database::Database;
use super::evidence::Evidence;
use super::trace::{Trace, Who};

pub const REPLICAS: [usize; 3] = [0, 1, 2];
/// How often something may go wrong on a way before it goes well, while there is no outage.
const MOST_FAILURES_IN_A_ROW: u32 = 3;
/// The longest outage of a replica's way to the database.
const LONGEST_OUTAGE: Duration = Duration::from_secs(5);
/// How long a replica does not look for changes that others made.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// Each replica looks so often before it sweeps, so that one after the other does.
const LOOKS_PER_SWEEP: usize = REPLICAS.len();
/// A round lasts for longer than a minute.
const PULSES_PER_ROUND: usize = 31;
/// Every promise about the end is kept well before this many rounds of a minute.
const ROUNDS_TO_THE_END: usize = 6;

/// One life of a replica, from its start until it is killed.
pub struct Life {
    over: AtomicBool,
    /// Wakes in the order of waiting, which a watch channel does not.
    killed: Notify,
    cut_off_until: Mutex<Instant>,
    failures: AtomicU32,
}

impl Life {
    fn begin() -> Arc<Self> {
        let cut_off_until = Mutex::new(Instant::now());
        let (over, failures) = (AtomicBool::new(false), AtomicU32::new(0));
        Arc::new(Self { over, killed: Notify::new(), cut_off_until, failures })
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    async fn ended(&self) {
        let killed = self.killed.notified();
        if !self.is_over() {
            killed.await;
        }
    }

    fn kill(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.killed.notify_waiters();
    }

    pub fn is_cut_off(&self) -> bool {
        *self.cut_off_until.lock().unwrap_or_else(PoisonError::into_inner) > Instant::now()
    }

    /// Whether what is about to fail may; told of everything that happens.
    pub fn may_fail(&self, fails: bool) -> bool {
        let failures = if fails { self.failures.load(Ordering::Relaxed) + 1 } else { 0 };
        let may = failures <= MOST_FAILURES_IN_A_ROW || self.is_cut_off();
        self.failures.store(if may { failures } else { 0 }, Ordering::Relaxed);
        may
    }
}

struct Replica {
    registry: Arc<Registry>,
    life: Arc<Life>,
}

pub struct World {
    pub trace: Arc<Trace>,
    pub evidence: Mutex<Evidence>,
    pub chance: Chance,
    database: Mutex<Database>,
    replicas: Mutex<Vec<Replica>>,
    calm: AtomicBool,
}

impl World {
    pub fn begin(seed: u64) -> Arc<Self> {
        let trace = Arc::new(Trace::begin());
        let world = Arc::new(Self {
            evidence: Mutex::default(),
            chance: Chance::of_seed(seed),
            database: Mutex::new(Database::new(Arc::clone(&trace))),
            replicas: Mutex::default(),
            calm: AtomicBool::new(false),
            trace,
        });
        for number in REPLICAS {
            let replica = world.start(number);
            world.replicas().push(replica);
        }
        world
    }

    fn start(self: &Arc<Self>, number: usize) -> Replica {
        let life = Life::begin();
        let (world, chance) = (Arc::clone(self), self.chance.fork());
        let connection =
            Connection { world, replica: number, life: Arc::clone(&life), chance, metrics: DatabaseMetrics::default() };
        let registry = Arc::new(Registry::new(Arc::new(connection)));
        tokio::spawn(Arc::clone(self).tend(number, Arc::clone(&registry), Arc::clone(&life)));
        Replica { registry, life }
    }

    /// What a replica does without being asked, for as long as it lives. What goes wrong is tried again the next time.
    async fn tend(self: Arc<Self>, number: usize, registry: Arc<Registry>, life: Arc<Life>) {
        for turn in number.. {
            sleep(BETWEEN_LOOKS).await;
            if life.is_over() || self.is_calm() {
                return;
            }
            let _ = registry.find_changes().await;
            let _ = pulse(&registry).await;
            if turn % LOOKS_PER_SWEEP == 0 {
                let _ = registry.sweep(false).await;
            }
        }
    }

    fn replicas(&self) -> MutexGuard<'_, Vec<Replica>> {
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn database(&self) -> MutexGuard<'_, Database> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn evidence(&self) -> MutexGuard<'_, Evidence> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing goes wrong any more.
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// The database's clock.
    pub fn now(&self) -> Timestamp {
        let milliseconds = i64::try_from(self.trace.milliseconds()).expect("minutes");
        Timestamp::from_second(1_790_000_000).expect("in range") + SignedDuration::from_millis(milliseconds)
    }

    /// Asks a replica; nothing if it died before it had answered.
    pub async fn ask<T, F: Future<Output = T>>(
        &self,
        number: usize,
        call: impl FnOnce(Arc<Registry>) -> F,
    ) -> Option<T> {
        let (registry, life) = {
            let replica = &self.replicas()[number];
            (Arc::clone(&replica.registry), Arc::clone(&replica.life))
        };
        tokio::select! {
            // A random order would not come from the seed.
            biased;
            () = life.ended() => None,
            answer = call(registry) => Some(answer),
        }
    }

    /// Kills replicas, and cuts them off from their database, until it is calm.
    pub async fn make_trouble(self: Arc<Self>) {
        let chance = self.chance.fork();
        loop {
            sleep(Duration::from_millis(chance.within(500..=15_000).into())).await;
            if self.is_calm() {
                return;
            }
            let number = chance.pick(&REPLICAS);
            if chance.happens(50) {
                self.trace.note(Who::World, "kills replica", number as i64);
                self.replicas()[number].life.kill();
                sleep(Duration::from_millis(chance.within(1..=3_000).into())).await;
                self.restart(number);
            } else {
                let outage = LONGEST_OUTAGE.mul_f64(f64::from(chance.within(1..=100)) / 100.0);
                self.trace.note(Who::World, "cuts off replica", number as i64);
                let life = Arc::clone(&self.replicas()[number].life);
                *life.cut_off_until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + outage;
            }
        }
    }

    fn restart(self: &Arc<Self>, number: usize) {
        let replica = self.start(number);
        self.replicas()[number] = replica;
    }

    /// Nothing goes wrong any more, and everybody has gone: whatever is left has to end, by itself
    /// or, where nobody would end it, by hand.
    pub async fn come_to_rest(self: &Arc<Self>) {
        self.calm.store(true, Ordering::Relaxed);
        for number in REPLICAS {
            if self.replicas()[number].life.is_over() {
                self.restart(number);
            }
        }
        let result = self.try_to_rest().await;
        self.trace.check(result.is_ok(), || format!("without any trouble, {result:?}"));
        self.evidence().judge(&self.database(), &self.trace);
        // They hold the world, as it holds them.
        self.replicas().clear();
    }

    async fn try_to_rest(&self) -> Result<(), RegistryError> {
        let registry = Arc::clone(&self.replicas()[0].registry);
        // What is still under way arrives first.
        sleep(LONGEST_OUTAGE * 2).await;
        registry.set_gate(Gate::OPEN).await?;
        let names: Vec<String> = self.database().locations.keys().filter(|name| !name.is_empty()).cloned().collect();
        for name in names {
            registry.set_location(LocationName::new(&name), None, Some(Gate::OPEN), None).await?;
        }
        for _ in 0..ROUNDS_TO_THE_END {
            for _ in 0..PULSES_PER_ROUND {
                sleep(BETWEEN_LOOKS).await;
                pulse(&registry).await?;
            }
            let alone = |run: &&Execution| run.status == Status::Running && run.lease.is_none();
            let alone: Vec<_> = self.database().executions.values().filter(alone).map(|run| run.run_id).collect();
            for run_id in alone {
                registry.cancel(run_id, Cancellation::default()).await?;
            }
            registry.sweep(false).await?;
        }
        Ok(())
    }
}

/// As a server does it in the background.
async fn pulse(registry: &Registry) -> Result<(), RegistryError> {
    match registry.pulse().await? {
        Some(resumed_at) => registry.look_at_everybody_after(resumed_at).await,
        None => Ok(()),
    }
}
