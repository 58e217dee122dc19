//! Events as they happen, read from the database once for everybody who follows them here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::{broadcast, watch};

use crate::domain::event::{EventFilter, EventId, SavedEvent};
use crate::registry::RegistryError;
use crate::store::{SettledEvents, Store, StoreError};

/// Events read at once, and so in memory for each who catches up.
const READ_AT_ONCE: usize = 250;
/// Whoever falls behind by more readings than that reads from the database again.
const MOST_READINGS_KEPT: usize = 64;

pub struct Tail {
    store: Arc<dyn Store>,
    /// Up to where everybody was told, while somebody follows.
    told: Mutex<Option<EventId>>,
    news: broadcast::Sender<Arc<Reading>>,
    count: NewsCount,
    is_over: watch::Sender<bool>,
}

/// How often there was news, for what was read before and is good only until then. All clones count together.
#[derive(Clone, Default)]
pub struct NewsCount(Arc<AtomicU64>);

impl NewsCount {
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// All events after `since` and up to `until`.
struct Reading {
    since: EventId,
    until: EventId,
    events: Vec<Arc<ToldEvent>>,
}

/// An event that many may be told, in the same text.
pub struct ToldEvent {
    event: SavedEvent,
    text: OnceLock<Bytes>,
}

impl ToldEvent {
    fn new(event: SavedEvent) -> Arc<Self> {
        Arc::new(Self { event, text: OnceLock::new() })
    }

    /// What it is told in; written by the first who asks.
    pub fn text(&self, write: impl FnOnce(&SavedEvent) -> Bytes) -> Bytes {
        self.text.get_or_init(|| write(&self.event)).clone()
    }
}

impl Tail {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let (news, is_over) = (broadcast::Sender::new(MOST_READINGS_KEPT), watch::Sender::new(false));
        Self { store, told: Mutex::default(), news, count: NewsCount::default(), is_over }
    }

    pub fn follow(&self, filter: EventFilter, after: EventId) -> EventStream {
        EventStream {
            store: Arc::clone(&self.store),
            filter,
            after,
            is_behind: true,
            news: self.news.subscribe(),
            is_over: self.is_over.subscribe(),
        }
    }

    pub fn news(&self, filter: EventFilter) -> News {
        News { filter, readings: self.news.subscribe(), is_over: self.is_over.subscribe() }
    }

    pub fn count(&self) -> NewsCount {
        self.count.clone()
    }

    /// Ends every stream.
    pub fn release(&self) {
        self.is_over.send_replace(true);
    }

    pub async fn read_on(&self) -> Result<(), StoreError> {
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let until = if self.news.receiver_count() == 0 {
            None
        } else {
            let SettledEvents { events, until } =
                self.store.settled_events(&EventFilter::default(), told, READ_AT_ONCE).await?;
            if told != Some(until) {
                // The first reading only says where it begins, so that whoever has caught up to
                // somewhere before that notices. If sending fails, nobody listens any more.
                let since = told.unwrap_or(until);
                let events = events.into_iter().map(ToldEvent::new).collect();
                // The count goes first, so that nobody who is told is shown a page from before.
                self.count.add();
                let _ = self.news.send(Arc::new(Reading { since, until, events }));
            }
            Some(until)
        };
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = until;
        Ok(())
    }
}

/// Says that something happened, for whoever does not ask what. It reads nothing by itself.
pub struct News {
    filter: EventFilter,
    readings: broadcast::Receiver<Arc<Reading>>,
    is_over: watch::Receiver<bool>,
}

impl News {
    /// Waits until something happened since the last time; false when the server stops.
    pub async fn next(&mut self) -> bool {
        // Whatever was read meanwhile is one piece of news.
        let mut is_news = false;
        while let Some(is_wanted) = self.read_meanwhile() {
            is_news |= is_wanted;
        }
        while !is_news {
            let heard = tokio::select! {
                heard = self.readings.recv() => heard,
                _ = self.is_over.changed() => return false,
            };
            match heard {
                Ok(reading) => is_news = self.is_wanted(&reading),
                Err(broadcast::error::RecvError::Lagged(_)) => is_news = true,
                Err(broadcast::error::RecvError::Closed) => return false,
            }
        }
        !*self.is_over.borrow()
    }

    /// Whether the next of what was read already is wanted; nothing if all was looked at.
    fn read_meanwhile(&mut self) -> Option<bool> {
        match self.readings.try_recv() {
            Ok(reading) => Some(self.is_wanted(&reading)),
            Err(broadcast::error::TryRecvError::Lagged(_)) => Some(true),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => None,
        }
    }

    /// A reading that only says where it begins says nothing of what happened before.
    fn is_wanted(&self, reading: &Reading) -> bool {
        reading.since == reading.until || reading.events.iter().any(|told| self.filter.matches(&told.event))
    }
}

/// What somebody follows.
pub struct EventStream {
    store: Arc<dyn Store>,
    filter: EventFilter,
    /// Everything up to here was given.
    after: EventId,
    /// Whether it has to catch up from the database.
    is_behind: bool,
    news: broadcast::Receiver<Arc<Reading>>,
    is_over: watch::Receiver<bool>,
}

impl EventStream {
    /// The next events; `None` when the server stops.
    ///
    /// # Errors
    /// If the database did not answer. Whoever follows comes back with the last id they got.
    pub async fn next(&mut self) -> Result<Option<Vec<Arc<ToldEvent>>>, RegistryError> {
        loop {
            if *self.is_over.borrow() {
                return Ok(None);
            }
            let events = if self.is_behind { self.catch_up().await? } else { self.listen().await };
            if !events.is_empty() {
                return Ok(Some(events));
            }
        }
    }

    async fn catch_up(&mut self) -> Result<Vec<Arc<ToldEvent>>, RegistryError> {
        let SettledEvents { events, until } =
            self.store.settled_events(&self.filter, Some(self.after), READ_AT_ONCE).await?;
        self.after = until;
        self.is_behind = events.len() == READ_AT_ONCE;
        Ok(events.into_iter().map(ToldEvent::new).collect())
    }

    async fn listen(&mut self) -> Vec<Arc<ToldEvent>> {
        let heard = tokio::select! {
            heard = self.news.recv() => heard,
            _ = self.is_over.changed() => return Vec::new(),
        };
        let after = self.after;
        match heard {
            Ok(reading) if reading.since <= after => {
                let is_wanted = |told: &&Arc<ToldEvent>| told.event.id > after && self.filter.matches(&told.event);
                self.after = reading.until.max(after);
                reading.events.iter().filter(is_wanted).cloned().collect()
            }
            // Something lies between what was given and what was heard.
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {
                self.is_behind = true;
                Vec::new()
            }
            Err(broadcast::error::RecvError::Closed) => {
                self.is_over = watch::channel(true).1;
                Vec::new()
            }
        }
    }
}
