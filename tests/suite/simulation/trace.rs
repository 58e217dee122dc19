//! What happened in the simulated world, in its order.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    World,
    Database,
    Replica(usize),
    Client(usize),
}

/// One thing that happened. Ids and secrets are drawn from outside the seed, and so are left out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    at_ms: u128,
    who: Who,
    what: &'static str,
    number: i64,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at_ms, who, what, number } = self;
        let who = format!("{who:?}");
        write!(f, "{at_ms:>8} ms  {who:<12} {what:<28} {number}")
    }
}

pub struct Trace {
    began: Instant,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    entries: Vec<Entry>,
    broken: Vec<String>,
}

impl Trace {
    pub fn begin() -> Self {
        Self { began: Instant::now(), notes: Mutex::default() }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn milliseconds(&self) -> u128 {
        self.began.elapsed().as_millis()
    }

    pub fn note(&self, who: Who, what: &'static str, number: i64) {
        let entry = Entry { at_ms: self.milliseconds(), who, what, number };
        self.notes().entries.push(entry);
    }

    /// A promise was broken if this does not hold.
    pub fn check(&self, holds: bool, broken: impl FnOnce() -> String) {
        if !holds {
            let text = format!("{:>8} ms  {}", self.milliseconds(), broken());
            self.notes().broken.push(text);
        }
    }

    /// What there is to say of the world when it has ended.
    pub fn end(&self) -> Story {
        let notes = self.notes();
        let mut hasher = DefaultHasher::new();
        notes.entries.hash(&mut hasher);
        Story { hash: hasher.finish(), entries: notes.entries.clone(), broken: notes.broken.clone() }
    }
}

pub struct Story {
    pub hash: u64,
    pub entries: Vec<Entry>,
    /// Each promise that was broken, in a sentence.
    pub broken: Vec<String>,
}
