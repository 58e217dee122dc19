//! Reads of locations.

use rusqlite::{Connection, TransactionBehavior};

use super::connection::classify;
use super::rows;
use crate::domain::location::{Location, NOWHERE};
use crate::store::StoreError;

pub fn all(connection: &Connection) -> Result<Vec<Location>, StoreError> {
    let sql = format!("SELECT {} FROM perfreg_locations WHERE name <> ?1 ORDER BY name", rows::LOCATION_COLUMNS);
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_map([NOWHERE], rows::location)?.collect())
        .map_err(classify)
}

/// Takes the write lock and gives it back.
pub fn check_writable(connection: &mut Connection) -> Result<(), StoreError> {
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .and_then(|transaction| transaction.execute_batch("SELECT 1 FROM perfreg_locations LIMIT 1"))
        .map_err(classify)
}
