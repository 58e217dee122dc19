//! Saves and reads what happened.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use super::connection::classify;
use super::rows::{self, timestamp_text};
use crate::domain::event::{Event, EventFilter, EventId, EventKind, Order, SavedEvent};
use crate::store::facts::facts_text;
use crate::store::{SettledEvents, StoreError};

/// `location` is the name of the row at which they happened, if it was at one.
pub fn insert(
    transaction: &Transaction<'_>,
    events: &[Event],
    location: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO perfreg_events (at, kind, run_id, location, asked_by, facts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for event in events {
        insert.execute(params![
            timestamp_text(now),
            event.kind.as_str(),
            event.run_id.map(|run_id| run_id.0),
            location,
            event.by,
            facts_text(event),
        ])?;
    }
    Ok(())
}

pub fn list(
    connection: &Connection,
    filter: &EventFilter,
    after: Option<EventId>,
    order: Order,
    limit: usize,
) -> Result<Vec<SavedEvent>, StoreError> {
    let (mut conditions, mut parameters) = conditions(filter);
    if let Some(after) = after {
        conditions.push(if order == Order::OldestFirst { "number > ?" } else { "number < ?" }.to_owned());
        parameters.push(Value::from(after.number));
    }
    let direction = if order == Order::OldestFirst { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT {} FROM perfreg_events WHERE {} ORDER BY number {direction} LIMIT ?",
        rows::EVENT_COLUMNS,
        conditions.join(" AND ")
    );
    parameters.push(Value::from(limit as i64));
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_map(params_from_iter(parameters), rows::event)?.collect())
        .map_err(classify)
}

/// The highest number is read first: what is saved after that is left for the next time.
pub fn settled(
    connection: &Connection,
    filter: &EventFilter,
    after: Option<EventId>,
    limit: usize,
) -> Result<SettledEvents, StoreError> {
    let newest: i64 = connection
        .query_row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'perfreg_events'", [], |row| {
            row.get(0)
        })
        .map_err(classify)?;
    let newest = EventId { position: 0, number: newest };
    let Some(after) = after else { return Ok(SettledEvents { events: Vec::new(), until: newest }) };
    let mut events = list(connection, filter, Some(after), Order::OldestFirst, limit)?;
    let is_full = events.len() == limit;
    events.retain(|event| event.id <= newest);
    let until = events.last().filter(|_| is_full).map_or(newest.max(after), |last| last.id);
    Ok(SettledEvents { events, until })
}

/// Deletes some of the events from before that time, and says how many.
pub fn forget(connection: &Connection, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM perfreg_events
                WHERE number IN (SELECT number FROM perfreg_events WHERE at < ?1 ORDER BY at LIMIT ?2)";
    connection.execute(sql, params![timestamp_text(before), limit as i64]).map_err(classify)
}

fn conditions(filter: &EventFilter) -> (Vec<String>, Vec<Value>) {
    let mut conditions = vec!["true".to_owned()];
    let mut parameters = Vec::new();
    let mut add = |condition: &str, value: Value| {
        conditions.push(condition.to_owned());
        parameters.push(value);
    };
    if let Some(location) = &filter.location {
        add("location = ?", Value::from(location.as_str().to_owned()));
    }
    if let Some(run_id) = filter.run_id {
        add("run_id = ?", Value::from(run_id.0));
    }
    if let Some(from) = filter.from {
        add("at >= ?", Value::from(timestamp_text(from)));
    }
    if let Some(to) = filter.to {
        add("at < ?", Value::from(timestamp_text(to)));
    }
    if !filter.kinds.is_empty() {
        // The words are the program's own.
        let kinds: Vec<&str> = filter.kinds.iter().copied().map(EventKind::as_str).collect();
        conditions.push(format!("kind IN ('{}')", kinds.join("', '")));
    }
    (conditions, parameters)
}
