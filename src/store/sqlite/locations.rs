//! Locations, and the state of the whole registry.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Result, TransactionBehavior, params};

use super::connection::{classify, classify_commit};
use super::events;
use super::rows::{self, timestamp_text};
use crate::domain::admission::{registry_opened, registry_set};
use crate::domain::capacity::location::{Location, LocationName, NOWHERE, of_row, row_name};
use crate::domain::gate::Gate;
use crate::store::StoreError;

/// A row that is deleted stays for its version and its fence.
pub const IS_THERE: &str = "deleted_version IS NOT version";

pub fn all(connection: &Connection) -> Result<Vec<Location>, StoreError> {
    let sql = format!(
        "SELECT {} FROM perfreg_locations WHERE name <> ?1 AND {IS_THERE} ORDER BY name",
        rows::LOCATION_COLUMNS
    );
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_map([NOWHERE], rows::location)?.collect())
        .map_err(classify)
}

pub fn one(connection: &Connection, name: &LocationName) -> Result<Option<Location>, StoreError> {
    let sql = format!("SELECT {} FROM perfreg_locations WHERE name = ?1 AND {IS_THERE}", rows::LOCATION_COLUMNS);
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_row([name.as_str()], rows::location).optional())
        .map_err(classify)
}

/// The locations at which something is due; `None` stands for the tests without one.
pub fn due(connection: &Connection, now: Timestamp, any: bool) -> Result<Vec<Option<LocationName>>, StoreError> {
    // Asked for any, all at which anything ever could be due.
    let sql = "SELECT name FROM perfreg_locations WHERE next_due <= ?1 OR (?2 AND waiting + leased > 0)";
    let name = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    connection
        .prepare_cached(sql)
        .and_then(|mut select| select.query_map(params![timestamp_text(now), any], name)?.collect::<Result<Vec<_>>>())
        .map(|names| names.iter().map(|name| of_row(name)).collect())
        .map_err(classify)
}

/// The versions of those of these locations that have ever been used.
pub fn versions(
    connection: &Connection,
    locations: &[Option<LocationName>],
) -> Result<Vec<(Option<LocationName>, i64)>, StoreError> {
    let mut versions = Vec::with_capacity(locations.len());
    let mut select =
        connection.prepare_cached("SELECT version FROM perfreg_locations WHERE name = ?1").map_err(classify)?;
    for location in locations {
        let version = select.query_row([row_name(location.as_ref())], |row| row.get(0)).optional().map_err(classify)?;
        versions.extend(version.map(|version| (location.clone(), version)));
    }
    Ok(versions)
}

pub fn registry(connection: &Connection) -> Result<Gate> {
    let sql = format!("SELECT {} FROM perfreg_registry WHERE id = 1", rows::GATE_COLUMNS);
    connection.prepare_cached(&sql)?.query_row([], rows::gate)
}

pub fn read_registry(connection: &Connection) -> Result<Gate, StoreError> {
    registry(connection).map_err(classify)
}

pub fn receipt_key(connection: &Connection) -> Result<Vec<u8>, StoreError> {
    let sql = "SELECT receipt_key FROM perfreg_registry WHERE id = 1";
    connection.query_row(sql, [], |row| row.get(0)).map_err(classify)
}

pub fn set_registry(connection: &mut Connection, gate: &Gate, now: Timestamp) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    transaction
        .execute(
            "UPDATE perfreg_registry SET state = ?1, state_reason = ?2, state_by = ?3, state_until = ?4 WHERE id = 1",
            params![gate.state.as_str(), gate.reason, gate.by, gate.until.map(timestamp_text)],
        )
        .map_err(classify)?;
    events::insert(&transaction, &[registry_set(gate)], None, now).map_err(classify)?;
    transaction.commit().map_err(classify_commit)
}

/// Opens the registry's gate if its time has come by then.
pub fn open_registry(connection: &mut Connection, now: Timestamp) -> Result<bool, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    let opened = transaction
        .execute(
            "UPDATE perfreg_registry SET state = 'open', state_reason = NULL, state_by = NULL, state_until = NULL
              WHERE id = 1 AND state_until <= ?1",
            [timestamp_text(now)],
        )
        .map_err(classify)?;
    if opened > 0 {
        events::insert(&transaction, &[registry_opened()], None, now).map_err(classify)?;
    }
    transaction.commit().map_err(classify_commit)?;
    Ok(opened > 0)
}

/// Takes the write lock and gives it back. Only a change that is saved finds out whether a disk that was full still is.
pub fn check_writable(connection: &mut Connection, was_full: bool) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    if !was_full {
        return transaction.execute_batch("SELECT 1 FROM perfreg_locations LIMIT 1").map_err(classify);
    }
    transaction.execute_batch("UPDATE perfreg_registry SET state = state").map_err(classify)?;
    transaction.commit().map_err(classify)
}
