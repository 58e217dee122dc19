//! Saves and reads what happened.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use super::connection::classify;
use super::rows::{self, timestamp_text};
use crate::domain::event::{Event, EventFilter, EventId, EventKind, Order, SavedEvent};
use crate::store::facts::facts_text;
use crate::store::search::MOST_EVENT_DISORDER;
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
    // What is looked for by halves stays as it is meanwhile.
    let connection = connection.unchecked_transaction().map_err(classify)?;
    let (mut conditions, mut parameters) = conditions(filter);
    // Without these a window far from where the list begins would be reached one event at a time.
    if let Some(from) = filter.from.and_then(|from| from.checked_sub(MOST_EVENT_DISORDER).ok()) {
        conditions.push("number >= ?".to_owned());
        parameters.push(Value::from(number_at(&connection, from).map_err(classify)?));
    }
    if let Some(to) = filter.to.and_then(|to| to.checked_add(MOST_EVENT_DISORDER).ok()) {
        conditions.push("number < ?".to_owned());
        parameters.push(Value::from(number_at(&connection, to).map_err(classify)?));
    }
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

/// The number from which on events are as late as that, as far as they are in order, by halving
/// what is in question until nothing is.
fn number_at(connection: &Connection, time: Timestamp) -> rusqlite::Result<i64> {
    let bounds = "SELECT coalesce(min(number), 0), coalesce((SELECT max(number) FROM perfreg_events), -1) + 1 FROM perfreg_events";
    let (mut low, mut high): (i64, i64) =
        connection.prepare_cached(bounds)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let time = timestamp_text(time);
    let mut is_before =
        connection.prepare_cached("SELECT at < ?2 FROM perfreg_events WHERE number >= ?1 ORDER BY number LIMIT 1")?;
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before.query_row(params![middle, time], |row| row.get(0))? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
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
    // The plus keeps SQLite from sorting all of a long window: numbers are in order as they are.
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
        add("+at >= ?", Value::from(timestamp_text(from)));
    }
    if let Some(to) = filter.to {
        add("+at < ?", Value::from(timestamp_text(to)));
    }
    if !filter.kinds.is_empty() {
        // The words are the program's own.
        let kinds: Vec<&str> = filter.kinds.iter().copied().map(EventKind::as_str).collect();
        conditions.push(format!("kind IN ('{}')", kinds.join("', '")));
    }
    (conditions, parameters)
}
