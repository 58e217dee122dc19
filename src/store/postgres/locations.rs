//! Reads of locations.

use deadpool_postgres::Object;
use tokio_postgres::types::Type;

use super::error::classify;
use super::rows;
use crate::domain::location::{Location, NOWHERE};
use crate::store::StoreError;

pub async fn all(client: &Object) -> Result<Vec<Location>, StoreError> {
    // COLLATE "C" sorts as SQLite does, whatever the database's locale.
    let sql = format!(
        "SELECT {} FROM perfreg_locations WHERE name <> $1 ORDER BY name COLLATE \"C\"",
        rows::LOCATION_COLUMNS
    );
    let found = client.query_typed(&sql, &[(&NOWHERE, Type::TEXT)]).await.map_err(classify)?;
    found.iter().map(rows::location).collect()
}

/// Fails on a server that only reads.
pub async fn check_writable(client: &Object) -> Result<(), StoreError> {
    let row = client.query_typed_one("SELECT pg_is_in_recovery()", &[]).await.map_err(classify)?;
    if rows::get(&row, 0)? {
        return Err(StoreError::Unavailable("the server only reads; it was demoted or is still recovering".to_owned()));
    }
    Ok(())
}
