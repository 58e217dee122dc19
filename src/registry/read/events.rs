//! Tells what happened.

use jiff::SignedDuration;

use crate::clock;
use crate::domain::event::{EventFilter, EventId, Order, SavedEvent};
use crate::domain::execution::RunId;
use crate::domain::execution::idempotency::KEPT_FOR;
use crate::registry::read::browse::twice;
use crate::registry::{EventStream, News, NewsCount, Registry, RegistryError};

/// The most events on one page.
pub const MOST_EVENTS_PER_PAGE: usize = 1_000;
/// So many are deleted in one transaction, which nobody has to wait for.
const FORGOTTEN_AT_ONCE: usize = 1_000;

#[derive(Clone, Debug)]
pub struct EventPage {
    pub events: Vec<SavedEvent>,
    /// Where the next page begins, if there is one.
    pub next: Option<EventId>,
}

/// How the story of a run began, and how it went on last.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Oldest first.
    pub first: Vec<SavedEvent>,
    /// Those after it, oldest first.
    pub last: Vec<SavedEvent>,
    /// Whether more happened between the two.
    pub has_more: bool,
}

impl Registry {
    /// What happened to a run: so many of its first events, and of its last.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn story(&self, run_id: RunId, first: usize, last: usize) -> Result<Story, RegistryError> {
        let filter = EventFilter { run_id: Some(run_id), ..EventFilter::default() };
        let page = self.events(&filter, None, Order::OldestFirst, first + last).await?;
        let mut beginning = page.events;
        if page.next.is_none() {
            let end = beginning.split_off(first.min(beginning.len()));
            return Ok(Story { first: beginning, last: end, has_more: false });
        }
        beginning.truncate(first);
        let mut end = self.events(&filter, None, Order::NewestFirst, last).await?.events;
        end.reverse();
        Ok(Story { first: beginning, last: end, has_more: true })
    }

    /// One page of events; `limit` counts up to [`MOST_EVENTS_PER_PAGE`].
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
        order: Order,
        limit: usize,
    ) -> Result<EventPage, RegistryError> {
        let limit = limit.clamp(1, MOST_EVENTS_PER_PAGE);
        let mut events = twice(|| self.store.events(filter, after, order, limit + 1)).await?;
        let has_more = events.len() > limit;
        events.truncate(limit);
        let next = events.last().filter(|_| has_more).map(|last| last.id);
        Ok(EventPage { events, next })
    }

    /// The events after that one as they happen; without one, those from now on. Also says after
    /// which event they begin.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn follow_events(
        &self,
        filter: EventFilter,
        after: Option<EventId>,
    ) -> Result<(EventId, EventStream), RegistryError> {
        let after = match after {
            Some(after) => after,
            None => twice(|| self.store.settled_events(&filter, None, 1)).await?.until,
        };
        Ok((after, self.tail.follow(filter, after)))
    }

    /// Says from now on that such events happened, on any replica, but not which.
    #[must_use]
    pub fn follow_news(&self, filter: EventFilter) -> News {
        self.tail.news(filter)
    }

    /// How much news there was so far. It counts what other replicas did only while somebody follows here.
    #[must_use]
    pub fn count_of_news(&self) -> NewsCount {
        self.tail.count()
    }

    /// Tells those who follow what happened since the last time, on any replica.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn find_events(&self) -> Result<(), RegistryError> {
        Ok(self.tail.read_on().await?)
    }

    /// Deletes the events that are older than that.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn forget_events(&self, keep_for: SignedDuration) -> Result<(), RegistryError> {
        let Ok(before) = clock::now().checked_sub(keep_for) else { return Ok(()) };
        while self.store.forget_events(before, FORGOTTEN_AT_ONCE).await? > 0 {}
        Ok(())
    }

    /// Deletes the first answers that are no longer given again.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn forget_first_answers(&self) -> Result<(), RegistryError> {
        let before = clock::now() - KEPT_FOR;
        while self.store.forget_first_answers(before, FORGOTTEN_AT_ONCE).await? > 0 {}
        Ok(())
    }
}
