//! Brings the database to this version, all steps in one transaction.

use tokio_postgres::types::Type;
use tokio_postgres::{IsolationLevel, Transaction};

use super::adopt;
use super::dashboard_columns;
use super::error::{classify, classify_commit};
use super::link::session::Session;
use super::profiles;
use super::rows::get;
use crate::store::{Migrations, StoreError};

/// Any number that no other program takes for its own locks; this one spells "perfreg".
const LOCK: i64 = 0x70_6572_6672_6567;
/// The step after which the columns that dashboards read are there.
const DASHBOARD_COLUMNS: i64 = 14;
const OLDEST_VERSION: i32 = 130_000;

/// A database that was dumped and restored numbers its transactions anew; its new events still
/// have to come after those that are there. Those of servers that run now lie below the bound.
const KEEP_EVENTS_IN_ORDER: &str = "
    UPDATE perfreg_registry SET event_offset = needed
      FROM (SELECT coalesce(max(position), 0) + 1 - pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS needed
              FROM perfreg_events) AS new
     WHERE event_offset < needed";

pub async fn migrate(client: &mut Session) -> Result<(), StoreError> {
    let builder = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
    let transaction = builder.start().await.map_err(classify)?;
    check_server(&transaction).await?;
    // Servers that start at the same time take turns.
    transaction.query_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await.map_err(classify)?;
    if let Some(schema) = adopt::find_schema(&transaction).await? {
        let set = format!("SET LOCAL search_path = {schema}");
        transaction.batch_execute(&set).await.map_err(classify)?;
    }
    transaction
        .batch_execute(
            "SET LOCAL client_min_messages = warning;
             CREATE TABLE IF NOT EXISTS perfreg_migrations (
                 number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
             );
             ALTER TABLE perfreg_migrations ADD COLUMN IF NOT EXISTS needed BIGINT",
        )
        .await
        .map_err(classify)?;
    // A step of before there was such a column needs itself.
    let last = transaction
        .query_typed_one(
            "SELECT coalesce(max(number), 0), coalesce(max(coalesce(needed, number)), 0) FROM perfreg_migrations",
            &[],
        )
        .await
        .map_err(classify)?;
    let (last, needed): (i64, i64) = (get(&last, 0)?, get(&last, 1)?);
    let original = if last == 0 { adopt::find_original(&transaction).await? } else { None };
    let mut adopted = match &original {
        Some(original) => Some(original.reshape(&transaction).await?),
        None => None,
    };
    let steps = take_steps(&transaction, last, needed).await?;
    if let Some(adopted) = &mut adopted {
        adopted.bring_capacities(&transaction).await?;
    }
    transaction.batch_execute(KEEP_EVENTS_IN_ORDER).await.map_err(classify)?;
    if profiles::fill_in(&transaction).await? || original.is_some() {
        profiles::write_terms(&transaction).await?;
    }
    profiles::index_trigrams(&transaction).await?;
    transaction.commit().await.map_err(classify_commit)?;
    if let Some(adopted) = adopted {
        adopted.log();
    } else if last == 0 {
        tracing::info!("created the registry's tables");
    } else if steps > 0 {
        tracing::info!(steps, "upgraded the registry's tables to this version");
    }
    Ok(())
}

/// How many steps it took.
async fn take_steps(transaction: &Transaction<'_>, last: i64, needed: i64) -> Result<usize, StoreError> {
    let steps = Migrations::POSTGRES.after(last, needed)?;
    if last > 0 && !steps.is_empty() {
        // Servers of the version before go on deciding. They lock a location first, and so does this.
        transaction.batch_execute("LOCK TABLE perfreg_locations").await.map_err(classify)?;
    }
    for step in steps {
        transaction.batch_execute(step.sql).await.map_err(|error| failed(step.name, error))?;
        transaction
            .execute_typed(
                "INSERT INTO perfreg_migrations (number, name, needed) VALUES ($1, $2, $3)",
                &[(&step.number, Type::INT8), (&step.name, Type::TEXT), (&step.needed(), Type::INT8)],
            )
            .await
            .map_err(classify)?;
        tracing::debug!(migration = step.name, "database migrated");
        if step.number == DASHBOARD_COLUMNS {
            dashboard_columns::widen(transaction).await?;
            // The versions before did not see to it when they adopted a table.
            adopt::allow_missing(transaction).await?;
        }
    }
    Ok(steps.len())
}

fn failed(step: &str, error: tokio_postgres::Error) -> StoreError {
    match classify(error) {
        StoreError::Broken(reason) => StoreError::Unsuitable(format!("migration {step} failed: {reason}")),
        other => other,
    }
}

async fn check_server(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let row = transaction
        .query_typed_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
                    current_setting('server_encoding'), pg_is_in_recovery(),
                    current_setting('default_transaction_read_only') = 'on'",
            &[],
        )
        .await
        .map_err(classify)?;
    let (number, version, encoding): (i32, &str, &str) = (get(&row, 0)?, get(&row, 1)?, get(&row, 2)?);
    if get(&row, 3)? {
        return Err(StoreError::Unavailable("the server only reads; it was demoted or is still recovering".to_owned()));
    }
    // Some hosting services set it while the disk is full, so it is waited for.
    if get(&row, 4)? {
        return Err(StoreError::Unavailable(
            "default_transaction_read_only is on for this user, database or server; switch it off".to_owned(),
        ));
    }
    if number < OLDEST_VERSION {
        return Err(StoreError::Unsuitable(format!("PostgreSQL {version} is too old; 13 or newer is needed")));
    }
    if encoding != "UTF8" {
        return Err(StoreError::Unsuitable(format!(
            "the database's encoding is {encoding}; create one with ENCODING 'UTF8'"
        )));
    }
    Ok(())
}
