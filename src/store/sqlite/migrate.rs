//! Brings the file to this version, all steps in one transaction.

use std::path::Path;

use rusqlite::{Connection, Result, Transaction, TransactionBehavior, params};

use super::connection::{classify_commit, unsuitable};
use super::profiles;
use crate::clock;
use crate::store::{Migrations, StoreError};

/// Until it has succeeded every error is one that a person has to mend.
pub fn migrate(connection: &mut Connection, path: &Path) -> std::result::Result<(), StoreError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| unsuitable(path, &error))?;
    let (last, needed) = last_migration(&transaction).map_err(|error| unsuitable(path, &error))?;
    if last == 0 && has_foreign_table(&transaction).map_err(|error| unsuitable(path, &error))? {
        return Err(StoreError::Unsuitable(format!(
            "cannot use the database file {}: it has a table test_executions that is not the registry's; name another file",
            path.display()
        )));
    }
    profiles::add_function(&transaction).map_err(|error| unsuitable(path, &error))?;
    let steps = Migrations::SQLITE.after(last, needed)?;
    for step in steps {
        transaction
            .execute_batch(step.sql)
            .and_then(|()| {
                transaction.execute(
                    "INSERT INTO perfreg_migrations (number, name, applied_at, needed) VALUES (?1, ?2, ?3, ?4)",
                    params![step.number, step.name, clock::now().to_string(), step.needed()],
                )
            })
            .map_err(|error| unsuitable(path, &error))?;
        tracing::debug!(migration = step.name, "database migrated");
    }
    profiles::fill_in(&transaction).map_err(|error| unsuitable(path, &error))?;
    transaction.commit().map_err(classify_commit)?;
    if last == 0 {
        tracing::info!("created {}", path.display());
    } else if !steps.is_empty() {
        tracing::info!(steps = steps.len(), "upgraded {} to this version", path.display());
    }
    Ok(())
}

/// The number of the last step, and what a program has to know; a step of before there was such a column needs itself.
fn last_migration(transaction: &Transaction<'_>) -> Result<(i64, i64)> {
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS perfreg_migrations (
             number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL
         ) STRICT",
    )?;
    let has_column = "SELECT count(*) > 0 FROM pragma_table_info('perfreg_migrations') WHERE name = 'needed'";
    if !transaction.query_row(has_column, [], |row| row.get(0))? {
        transaction.execute_batch("ALTER TABLE perfreg_migrations ADD COLUMN needed INTEGER")?;
    }
    let last = "SELECT coalesce(max(number), 0), coalesce(max(coalesce(needed, number)), 0) FROM perfreg_migrations";
    transaction.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn has_foreign_table(transaction: &Transaction<'_>) -> Result<bool> {
    let sql = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'test_executions'";
    transaction.query_row(sql, [], |row| row.get(0))
}
