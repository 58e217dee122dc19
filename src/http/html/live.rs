//! `GET /live`: tells an open page that it has to be fetched again.
//!
//! The stream is not `/events`, whose readers take each `data` for a saved event. A message says only that something
//! happened: pages are drawn in one place. With `run_id` or `location`, messages are about that run or location only.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

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

/// Far fewer than there may be connections. A page without a place is fetched again from time to time.
const MOST_PAGES: usize = 250;
/// The longest silence. A page takes a stream for dead that is silent for longer than two of these.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// The next message waits for so long, and stands for all that happens meanwhile.
const TOGETHER: Duration = Duration::from_millis(500);
/// Without this header, nginx and similar proxies hold messages back until their buffers are full.
const NOT_BUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A browser passes a message on only if it has data.
const ALIVE: &[u8] = b"event: alive\ndata: 1\n\n";
const CHANGED: &[u8] = b"event: changed\ndata: 1\n\n";

/// The places for pages that follow.
#[derive(Clone)]
pub struct LivePages(Arc<Semaphore>);

impl Default for LivePages {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_PAGES)))
    }
}

/// What one page follows. Its place is free again when the page leaves.
struct Following {
    news: News,
    /// Whether the last message said that something happened.
    has_told: bool,
    _place: OwnedSemaphorePermit,
    _counted: Entered,
}

pub async fn live(
    State(registry): State<Arc<Registry>>,
    State(LivePages(places)): State<LivePages>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let filter = read_event_query(query.as_deref(), None, true).map_err(ApiError::Invalid)?.filter;
    let place = places.try_acquire_owned().map_err(|_| RegistryError::Overloaded)?;
    let counted = registry.metrics().http.enter_live_page();
    let following = Following { news: registry.follow_news(filter), has_told: false, _place: place, _counted: counted };
    // The first message comes at once: it shows the page that no proxy holds messages back.
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
