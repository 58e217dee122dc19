//! What all that belongs to one connection knows of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// What is under way on a connection, and whether the server stops.
#[derive(Clone)]
pub struct Conduct {
    stop: Arc<watch::Sender<bool>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Requests that have ever begun.
    begun: AtomicUsize,
    /// Requests that have begun and are not answered to the last byte.
    open: AtomicUsize,
    /// Those of `open` whose answer has an end, which a stop waits for.
    answers: AtomicUsize,
}

impl Conduct {
    pub fn new(stop: Arc<watch::Sender<bool>>) -> Self {
        Self { stop, counts: Arc::default() }
    }

    /// Whether the server stops and has nothing to answer any more.
    pub fn is_over(&self) -> bool {
        *self.stop.borrow() && self.counts.answers.load(Ordering::SeqCst) == 0
    }

    /// How many requests have begun so far, unless one of them is still being answered.
    pub fn idle_after(&self) -> Option<usize> {
        let begun = self.counts.begun.load(Ordering::SeqCst);
        (self.counts.open.load(Ordering::SeqCst) == 0).then_some(begun)
    }

    pub fn begin_answer(&self) -> Answer {
        self.counts.begun.fetch_add(1, Ordering::SeqCst);
        self.counts.open.fetch_add(1, Ordering::SeqCst);
        self.counts.answers.fetch_add(1, Ordering::SeqCst);
        Answer { counts: Arc::clone(&self.counts), has_end: true }
    }
}

/// An answer under way.
pub struct Answer {
    counts: Arc<Counts>,
    has_end: bool,
}

impl Answer {
    /// The same answer, if it turns out to go on for ever: a stop does not wait for it.
    pub fn without_end(mut self) -> Self {
        self.counts.answers.fetch_sub(1, Ordering::SeqCst);
        self.has_end = false;
        self
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::SeqCst);
        if self.has_end {
            self.counts.answers.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
