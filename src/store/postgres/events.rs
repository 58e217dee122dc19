//! Saves and reads what happened.

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use super::conditions::Conditions;
use super::error::classify;
use super::link::session::{Execute, Session};
use super::rows::{self, get};
use crate::domain::capacity::location::row_name;
use crate::domain::event::{Event, EventFilter, EventId, EventKind, Order, SavedEvent};
use crate::store::decision::Decision;
use crate::store::facts::facts_text;
use crate::store::search::MOST_EVENT_DISORDER;
use crate::store::{SettledEvents, StoreError};

/// Saves what was decided for the lanes, each at its location.
pub async fn insert_all(client: &Session, decisions: &[Decision<'_>], now: Timestamp) -> Result<(), StoreError> {
    let events = decisions.iter().flat_map(|decision| {
        let location = row_name(decision.lane.location.as_ref());
        decision.events.iter().map(move |event| (event, Some(location)))
    });
    insert(client, &events.collect::<Vec<_>>(), now).await
}

/// Beside each event stands the name of the row at which it happened, if it was at one.
pub async fn insert(
    client: &impl Execute,
    events: &[(&Event, Option<&str>)],
    now: Timestamp,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let kinds: Vec<&str> = events.iter().map(|(event, _)| event.kind.as_str()).collect();
    let run_ids: Vec<Option<i64>> = events.iter().map(|(event, _)| event.run_id.map(|run_id| run_id.0)).collect();
    let locations: Vec<Option<&str>> = events.iter().map(|(_, location)| *location).collect();
    let asked_by: Vec<Option<&str>> = events.iter().map(|(event, _)| event.by.as_deref()).collect();
    let facts: Vec<String> = events.iter().map(|(event, _)| facts_text(event)).collect();
    client
        .execute(
            "INSERT INTO perfreg_events (position, number, at, kind, run_id, location, asked_by, facts)
             SELECT pg_current_xact_id()::text::bigint + registry.event_offset, nextval('perfreg_event_number'), $1,
                    new.kind, new.run_id, new.location, new.asked_by, new.facts::json
               FROM perfreg_registry AS registry,
                    (SELECT * FROM unnest($2, $3, $4, $5, $6)
                              WITH ORDINALITY AS new (kind, run_id, location, asked_by, facts, position)
                      ORDER BY position) AS new
              WHERE registry.id = 1",
            &[
                (&now, Type::TIMESTAMPTZ),
                (&kinds, Type::TEXT_ARRAY),
                (&run_ids, Type::INT8_ARRAY),
                (&locations, Type::TEXT_ARRAY),
                (&asked_by, Type::TEXT_ARRAY),
                (&facts, Type::TEXT_ARRAY),
            ],
        )
        .await
        .map_err(classify)?;
    Ok(())
}

pub async fn list(
    client: &Session,
    filter: &EventFilter,
    after: Option<EventId>,
    order: Order,
    limit: usize,
) -> Result<Vec<SavedEvent>, StoreError> {
    let mut conditions = conditions(filter);
    // Without these a window far from where the list begins would be reached one event at a time.
    if let Some(from) = filter.from.and_then(|from| from.checked_sub(MOST_EVENT_DISORDER).ok())
        && let Some(position) = position_at(client, from).await?
    {
        let position = conditions.parameter(position, Type::INT8);
        conditions.add(format!("position >= {position}"));
    }
    if let Some(to) = filter.to.and_then(|to| to.checked_add(MOST_EVENT_DISORDER).ok())
        && let Some(position) = position_at(client, to).await?
    {
        let position = conditions.parameter(position, Type::INT8);
        conditions.add(format!("position < {position}"));
    }
    if let Some(after) = after {
        compare(&mut conditions, if order == Order::OldestFirst { ">" } else { "<" }, after);
    }
    read(client, conditions, order, limit).await
}

/// The position from which on events are as late as that, as far as they are in order, by halving
/// what is in question until nothing is.
async fn position_at(client: &Session, time: Timestamp) -> Result<Option<i64>, StoreError> {
    let sql = "
        WITH RECURSIVE question (low, high) AS (
            SELECT min(position), max(position) + 1 FROM perfreg_events
             UNION ALL
            SELECT CASE WHEN probe.is_before THEN half.middle + 1 ELSE low END,
                   CASE WHEN probe.is_before THEN high ELSE half.middle END
              FROM question
             CROSS JOIN LATERAL (SELECT low + (high - low) / 2 AS middle) AS half
             CROSS JOIN LATERAL (SELECT at < $1 AS is_before FROM perfreg_events WHERE position >= half.middle
                                  ORDER BY position, number LIMIT 1) AS probe
             WHERE low < high
        )
        SELECT low FROM question WHERE low >= high";
    let found = client.query_typed_opt(sql, &[(&time, Type::TIMESTAMPTZ)]).await.map_err(classify)?;
    found.map(|row| get(&row, 0)).transpose()
}

/// What is below the oldest transaction that still runs is final. The bound is read first: what
/// settles after that is left for the next time.
pub async fn settled(
    client: &Session,
    filter: &EventFilter,
    after: Option<EventId>,
    limit: usize,
) -> Result<SettledEvents, StoreError> {
    let bound = "SELECT event_offset + pg_snapshot_xmin(pg_current_snapshot())::text::bigint
                   FROM perfreg_registry WHERE id = 1";
    let bound = client.query_typed_one(bound, &[]).await.map_err(classify)?;
    let bound = EventId { position: get(&bound, 0)?, number: 0 };
    let Some(after) = after else { return Ok(SettledEvents { events: Vec::new(), until: bound }) };
    let mut conditions = conditions(filter);
    compare(&mut conditions, ">", after);
    compare(&mut conditions, "<", bound);
    let events = read(client, conditions, Order::OldestFirst, limit).await?;
    let is_full = events.len() == limit;
    let until = events.last().filter(|_| is_full).map_or(bound.max(after), |last| last.id);
    Ok(SettledEvents { events, until })
}

/// Deletes some of the events from before that time, and says how many.
pub async fn forget(client: &Session, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
    // The first of all are the oldest but for those that were saved at the same time.
    let sql = "DELETE FROM perfreg_events WHERE (position, number) IN
                 (SELECT position, number FROM (SELECT * FROM perfreg_events ORDER BY position, number LIMIT $2) AS first
                   WHERE at < $1)";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&before, Type::TIMESTAMPTZ), (&(limit as i64), Type::INT8)];
    let count = client.execute_typed(sql, &parameters).await.map_err(classify)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn conditions(filter: &EventFilter) -> Conditions {
    let mut all = Conditions::default();
    if let Some(location) = &filter.location {
        let location = all.parameter(location.as_str().to_owned(), Type::TEXT);
        all.add(format!("location = {location}"));
    }
    if let Some(run_id) = filter.run_id {
        let run_id = all.parameter(run_id.0, Type::INT8);
        all.add(format!("run_id = {run_id}"));
    }
    if let Some(from) = filter.from {
        let from = all.parameter(from, Type::TIMESTAMPTZ);
        all.add(format!("at >= {from}"));
    }
    if let Some(to) = filter.to {
        let to = all.parameter(to, Type::TIMESTAMPTZ);
        all.add(format!("at < {to}"));
    }
    if !filter.kinds.is_empty() {
        let kinds: Vec<&str> = filter.kinds.iter().copied().map(EventKind::as_str).collect();
        let kinds = all.parameter(kinds, Type::TEXT_ARRAY);
        all.add(format!("kind = ANY({kinds})"));
    }
    all
}

fn compare(all: &mut Conditions, operator: &str, id: EventId) {
    let (position, number) = (all.parameter(id.position, Type::INT8), all.parameter(id.number, Type::INT8));
    all.add(format!("(position, number) {operator} ({position}, {number})"));
}

async fn read(
    client: &Session,
    mut conditions: Conditions,
    order: Order,
    limit: usize,
) -> Result<Vec<SavedEvent>, StoreError> {
    let limit = conditions.parameter(limit as i64, Type::INT8);
    let direction = if order == Order::OldestFirst { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT {} FROM perfreg_events WHERE {} ORDER BY position {direction}, number {direction} LIMIT {limit}",
        rows::EVENT_COLUMNS,
        conditions.text()
    );
    let found = client.query_typed(&sql, &conditions.parameters()).await.map_err(classify)?;
    found.iter().map(rows::event).collect()
}
