//! `GET /events` and `GET /executions/{run_id}/events`: what happened, and why.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::executions::find;
use crate::domain::event::{EventId, Order, SavedEvent};
use crate::domain::execution::RunId;
use crate::http::error::ApiError;
use crate::http::event_query::{EventQuery, read_event_query};
use crate::present::event::to_wire;
use crate::registry::{EventStream, Registry};
use crate::wire::event::{EventsQuery, EventsResponse};
use crate::wire::problem::Problem;

/// A stream without events says that it is alive, so that nobody between closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Without it nginx, and those that do as it does, would hold events back until their buffers are full.
const NOT_BUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Lists what happened, newest first.
///
/// With the header `Accept: text/event-stream` it is a stream of what happens from now on, or since `from` or the header
/// `Last-Event-ID`: the `id` and the JSON of each event as `data`.
#[utoipa::path(
    get, path = "/events", operation_id = "list_events", tag = "events",
    params(
        EventsQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "For a stream: the last event that was received."),
    ),
    // A stream is not named as an answer: generated clients would ask for whatever is named, and wait for its end.
    responses((status = 200, description = "A page of events.", body = EventsResponse)),
)]
pub async fn list_events(
    State(registry): State<Arc<Registry>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    answer(&registry, query.as_deref(), None, &headers).await
}

/// Lists what happened to one test, oldest first.
///
/// With the header `Accept: text/event-stream` it is a stream, of what will happen as well.
#[utoipa::path(
    get, path = "/executions/{run_id}/events", operation_id = "list_execution_events", tag = "events",
    params(
        ("run_id" = i64, Path, example = 7),
        ("kind" = Option<String>, Query, description = "One kind, or several with commas between."),
        ("from" = Option<String>, Query, description = "At or after this, RFC 3339 or a date."),
        ("to" = Option<String>, Query, description = "Before this; not for a stream."),
        ("limit" = Option<u32>, Query, description = "Events on a page, 100 unless given; not for a stream.",
         minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before; not for a stream.",
         pattern = "^[0-9]+-[0-9]+$"),
        ("Last-Event-ID" = Option<String>, Header, description = "For a stream: the last event that was received."),
    ),
    responses(
        (status = 200, description = "A page of events.", body = EventsResponse),
        (status = 404, description = "No test has this run_id.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub async fn list_execution_events(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let run_id = find(&registry, path).await?.run_id;
    answer(&registry, query.as_deref(), Some(run_id), &headers).await
}

async fn answer(
    registry: &Registry,
    query: Option<&str>,
    run_id: Option<RunId>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let is_stream = wants_stream(headers);
    let EventQuery { filter, limit, after } = read_event_query(query, run_id, is_stream).map_err(ApiError::Invalid)?;
    if is_stream {
        // A run's events are told from its beginning, as are those since a time.
        let beginning = (run_id.is_some() || filter.from.is_some()).then(EventId::default);
        let after = last_event_id(headers)?.or(beginning);
        let (beginning, events) = registry.follow_events(filter, after).await?;
        return Ok(stream_events(beginning, events));
    }
    let order = if run_id.is_some() { Order::OldestFirst } else { Order::NewestFirst };
    let page = registry.events(&filter, after, order, limit).await?;
    let events = page.events.iter().map(to_wire).collect();
    Ok(Json(EventsResponse { events, next: page.next.map(|next| next.to_string()) }).into_response())
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|media_type| media_type.trim().starts_with("text/event-stream"))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<EventId>, ApiError> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.parse().ok());
    id.map(Some).ok_or_else(|| ApiError::invalid("Last-Event-ID", "must be the id of an event, such as 0-12"))
}

/// Ends when the server stops or the database fails; whoever follows comes back with the last id.
fn stream_events(beginning: EventId, events: EventStream) -> Response {
    // Only an id: whoever loses the connection before the first event knows where to go on.
    let first = stream::once(ready(vec![Bytes::from(format!("id: {beginning}\n\n"))]));
    let told = stream::unfold(events, async |mut events| match timeout(KEEP_ALIVE, events.next()).await {
        Ok(Ok(page)) => page.map(|page| (page.iter().map(|told| told.text(to_message)).collect(), events)),
        Ok(Err(error)) => {
            tracing::debug!("a stream of events ended: {error}");
            None
        }
        Err(_) => Some((vec![Bytes::from_static(b":\n\n")], events)),
    });
    let messages = first.chain(told).flat_map(stream::iter).map(Ok::<_, Infallible>);
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache"), (NOT_BUFFERED, "no")];
    (headers, Body::from_stream(messages)).into_response()
}

/// Its id and its body on one line each, as a browser's EventSource reads them.
fn to_message(event: &SavedEvent) -> Bytes {
    let body = serde_json::to_string(&to_wire(event)).expect("an event can be written to memory");
    // Outside of its strings, where it stands for nothing, a line's end would end the message.
    format!("id: {}\ndata: {}\n\n", event.id, body.replace(['\r', '\n'], " ")).into()
}
