//! Brings the file to this version, all steps in one transaction.

use rusqlite::{Connection, TransactionBehavior, params};

use super::connection::{classify, classify_commit};
use crate::clock;
use crate::store::{Migrations, StoreError};

pub fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS perfreg_migrations (
                 number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL
             ) STRICT",
        )
        .map_err(classify)?;
    let last: i64 = transaction
        .query_row("SELECT coalesce(max(number), 0) FROM perfreg_migrations", [], |row| row.get(0))
        .map_err(classify)?;
    for step in Migrations::SQLITE.after(last)? {
        transaction
            .execute_batch(step.sql)
            .and_then(|()| {
                transaction.execute(
                    "INSERT INTO perfreg_migrations (number, name, applied_at) VALUES (?1, ?2, ?3)",
                    params![step.number, step.name, clock::now().to_string()],
                )
            })
            .map_err(|error| StoreError::Unsuitable(format!("migration {} failed: {error}", step.name)))?;
        tracing::info!(migration = step.name, "database migrated");
    }
    transaction.commit().map_err(classify_commit)
}
