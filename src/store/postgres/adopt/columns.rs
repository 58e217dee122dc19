//! Gives the table's columns the types that the first migration expects.

use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::super::error::classify;
use super::super::rows::get;
use super::{Original, execute, quoted};
use crate::store::StoreError;

/// Lets a test name no location and no factor, which the original's successor asks for. A table of our own does already.
pub async fn allow_missing(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    execute(
        transaction,
        "ALTER TABLE test_executions ALTER COLUMN end_time DROP NOT NULL, ALTER COLUMN factor DROP NOT NULL,
                                     ALTER COLUMN dashboard_url DROP NOT NULL, ALTER COLUMN location DROP NOT NULL",
    )
    .await
}

impl Original {
    /// Takes away what would refuse our rows: columns that are required and not ours, numbers
    /// that only the database may give, and rules on the status.
    pub(super) async fn drop_obstacles(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        for name in self.later_columns() {
            let alter = format!("ALTER TABLE test_executions ALTER COLUMN {} DROP NOT NULL", quoted(name));
            execute(transaction, &alter).await?;
        }
        allow_missing(transaction).await?;
        if self.column("run_id").is_some_and(|column| column.is_identity) {
            execute(transaction, "ALTER TABLE test_executions ALTER COLUMN run_id DROP IDENTITY").await?;
        }
        let checks = transaction
            .query_typed(
                "SELECT conname::text
                   FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)
                  WHERE conrelid = 'test_executions'::regclass AND contype = 'c' AND attname = 'status'",
                &[],
            )
            .await
            .map_err(classify)?;
        for row in &checks {
            let drop = format!("ALTER TABLE test_executions DROP CONSTRAINT {}", quoted(get(row, 0)?));
            execute(transaction, &drop).await?;
        }
        Ok(())
    }

    /// Widens or converts a column that has another type, without touching one that fits.
    pub(super) async fn convert_column(
        &self,
        transaction: &Transaction<'_>,
        name: &str,
        kind: &str,
        conversion: &str,
    ) -> Result<(), StoreError> {
        let Some(column) = self.column(name) else { return Ok(()) };
        let is_text = column.kind == "text" && kind == "character varying";
        if is_text || (column.kind == kind && !column.is_narrowed) {
            return Ok(());
        }
        let conversion = if column.kind == kind { name } else { conversion };
        // A default of the old type, such as that of an enumeration, cannot always be converted.
        let sql = format!(
            "ALTER TABLE test_executions ALTER COLUMN {name} DROP DEFAULT,
                                         ALTER COLUMN {name} TYPE {kind} USING {conversion}"
        );
        execute(transaction, "SAVEPOINT conversion").await?;
        match transaction.batch_execute(&sql).await {
            Ok(()) => execute(transaction, "RELEASE SAVEPOINT conversion").await,
            // An INTEGER run_id works as well until two thousand million; no reason to stop.
            Err(error) if name == "run_id" && error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {
                tracing::warn!("a view uses run_id, so the column stays an INTEGER");
                execute(transaction, "ROLLBACK TO SAVEPOINT conversion").await
            }
            Err(error) => Err(StoreError::Unsuitable(format!(
                "its column {name} must become {kind}, and PostgreSQL says: {}",
                error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
            ))),
        }
    }
}
