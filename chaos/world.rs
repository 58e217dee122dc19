//! What everybody who takes part shares.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::RwLock;

use crate::check::{Call, Fault, Moment};
use crate::replica::Replica;

pub struct World {
    pub begin: Instant,
    /// The time of day then.
    pub began_at: Timestamp,
    pub replicas: Vec<Replica>,
    pub places: Vec<Place>,
    /// From then on nothing new is begun.
    pub is_ending: AtomicBool,
    /// Calls that were answered or given up.
    pub operations: AtomicU64,
    pub faults: Mutex<Vec<Fault>>,
    calls: Mutex<Vec<Call>>,
    next_op: AtomicU64,
    pub weights: Weights,
}

/// What the clients do, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    pub plain: u32,
    pub keyed: u32,
    pub twin: u32,
    pub waiting: u32,
    pub leased: u32,
    pub forgotten: u32,
    /// Those that hang up while they wait, and are gone.
    pub killed: u32,
    /// Those that hang up while they wait, and come back.
    pub stalled: u32,
    /// Those that ask now and then whether they may start.
    pub polling: u32,
    /// How many forgotten runs there may be at a location.
    pub most_forgotten: usize,
    /// Milliseconds for which a run goes on at the most.
    pub longest_run: u64,
    pub gates: bool,
}

impl Weights {
    pub const ORDINARY: Self = Self {
        plain: 400,
        keyed: 250,
        twin: 30,
        waiting: 150,
        leased: 150,
        forgotten: 20,
        killed: 25,
        stalled: 25,
        polling: 10,
        most_forgotten: 2,
        longest_run: 40,
        gates: true,
    };
}

/// A location, and who is busy there.
pub struct Place {
    pub index: u16,
    pub name: String,
    pub capacity: i64,
    pub factors: Factors,
    /// Held by every call; whoever has it alone knows that none is under way.
    pub calls: RwLock<()>,
    /// Whether the queue is to become empty.
    pub takes_no_waiters: AtomicBool,
    pub waiters: AtomicUsize,
    pub forgotten: AtomicUsize,
    /// How many there are that hang up.
    pub fickle: AtomicUsize,
    pub polling: AtomicUsize,
    /// Registrations of which nobody knows whether they happened.
    pub orphans: Mutex<HashSet<u64>>,
}

/// How much the tests at a location ask for.
#[derive(Clone, Copy, Debug)]
pub enum Factors {
    /// The same each time, so that many run at once, and the last decides by its last digit.
    Each(i64),
    UpTo(i64),
}

impl Factors {
    pub fn pick(self, random: &mut fastrand::Rng) -> i64 {
        match self {
            Self::Each(factor) => factor,
            Self::UpTo(most) => random.i64(1..=most),
        }
    }
}

impl Place {
    /// They differ, so that what goes wrong only under some conditions meets them somewhere.
    pub fn new(index: u16) -> Self {
        let (capacity, factors) = match index % 4 {
            0 => (1_000_000, Factors::UpTo(600_000)),
            1 => (500_000, Factors::Each(100_000)),
            2 => (300_000, Factors::Each(100_000)),
            _ => (2_000_000, Factors::UpTo(1_200_000)),
        };
        Self::with(index, capacity, factors)
    }

    pub fn with(index: u16, capacity: i64, factors: Factors) -> Self {
        Self {
            index,
            name: format!("chaos-{index}"),
            capacity,
            factors,
            calls: RwLock::default(),
            takes_no_waiters: AtomicBool::default(),
            waiters: AtomicUsize::default(),
            forgotten: AtomicUsize::default(),
            fickle: AtomicUsize::default(),
            polling: AtomicUsize::default(),
            orphans: Mutex::default(),
        }
    }
}

impl World {
    pub fn new(replicas: Vec<Replica>, places: Vec<Place>, weights: Weights) -> Arc<Self> {
        Arc::new(Self {
            begin: Instant::now(),
            began_at: perfreg::clock::now(),
            replicas,
            places,
            is_ending: AtomicBool::default(),
            operations: AtomicU64::default(),
            faults: Mutex::default(),
            calls: Mutex::default(),
            next_op: AtomicU64::new(1),
            weights,
        })
    }

    pub fn now(&self) -> Moment {
        i64::try_from(self.begin.elapsed().as_micros()).unwrap_or(Moment::MAX)
    }

    /// A time of day on the clients' clock.
    pub fn moment(&self, time: Timestamp) -> Moment {
        time.as_microsecond() - self.began_at.as_microsecond()
    }

    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    pub fn next_op(&self) -> u64 {
        self.next_op.fetch_add(1, Ordering::Relaxed)
    }

    pub fn keep(&self, calls: &mut Vec<Call>) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).append(calls);
    }

    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits, but not for longer than until the end begins.
    pub async fn sleep(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_ending() && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(Duration::from_millis(200))).await;
        }
    }
}
