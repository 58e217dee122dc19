//! `GET /live`: tells an open page that it has to be fetched again.
//!
//! A stream of its own, since those who read `/events` take each `data` for an event that was saved. It says only that
//! something happened, so that there is no second place where a page is made; with `run_id` or `location`, only of these.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::http::error::ApiError;
use crate::http::event_query::read_event_query;
use crate::metrics::Entered;
use crate::registry::{News, Registry, RegistryError};

/// Far fewer than there may be connections; who comes later fetches its page from time to time.
const MOST_PAGES: usize = 250;
/// A page hears this at the latest. It takes a line that is silent for longer than two of these for dead.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// What happens shortly after a message is told with the next.
const TOGETHER: Duration = Duration::from_millis(500);
/// Without it nginx, and those that do as it does, would hold messages back until their buffers are full.
const NOT_BUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A browser passes a message on only if it has data.
const ALIVE: &[u8] = b"event: alive\ndata: 1\n\n";
const CHANGED: &[u8] = b"event: changed\ndata: 1\n\n";

/// A place for each page that may follow.
#[derive(Clone)]
pub struct LivePages(Arc<Semaphore>);

impl Default for LivePages {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_PAGES)))
    }
}

/// What one page follows; its place is free again when it goes.
struct Following {
    news: News,
    /// Whether the last message said that something happened.
    has_told: bool,
    _place: OwnedSemaphorePermit,
    _counted: Entered,
}

pub async fn live(
    State(registry): State<Arc<Registry>>,
    Extension(LivePages(places)): Extension<LivePages>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let filter = read_event_query(query.as_deref(), None, true).map_err(ApiError::Invalid)?.filter;
    let place = places.try_acquire_owned().map_err(|_| RegistryError::Overloaded)?;
    let counted = registry.metrics().http.enter_live_page();
    let following = Following { news: registry.follow_news(filter), has_told: false, _place: place, _counted: counted };
    // At once, so that the page knows that the way is open, whatever lies between.
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(ALIVE))]);
    let messages = first.chain(stream::unfold(following, Following::next));
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache"), (NOT_BUFFERED, "no")];
    Ok((headers, Body::from_stream(messages)).into_response())
}

impl Following {
    /// The next message; none once the server stops.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.has_told {
            sleep(TOGETHER).await;
        }
        let message = match timeout(ALIVE_EVERY, self.news.next()).await {
            Ok(true) => CHANGED,
            Ok(false) => return None,
            Err(_) => ALIVE,
        };
        self.has_told = message == CHANGED;
        Some((Ok(Bytes::from_static(message)), self))
    }
}
