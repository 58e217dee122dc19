//! Notices that the database was made from a dump, which does not know what was registered after it.
//!
//! The registry's row names the tables it is in. A dump takes that name along to other tables.

use deadpool_postgres::Object;
use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::error::{classify, classify_commit};
use super::rows::{self, get};
use super::timeline::go_on;
use crate::domain::continuity::numbers_left_out;
use crate::store::StoreError;

/// The server's own name is the same on its standbys, and another on one that a dump was loaded into.
const IDENTITY: &str = "
    SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
           || '/' || 'perfreg_registry'::regclass::oid
      FROM pg_control_system()";

/// If these are other tables than the registry's row names, all numbers go on far above those that may have
/// been given away since, in a transaction of its own. To be called when a server starts.
pub async fn check(client: &mut Object, now: Option<Timestamp>) -> Result<(), StoreError> {
    let current: Option<String> = match client.query_typed_one(IDENTITY, &[]).await {
        Ok(row) => get(&row, 0)?,
        Err(error) => match classify(error) {
            StoreError::Broken(_) | StoreError::Unsuitable(_) => None,
            error => return Err(error),
        },
    };
    let Some(current) = current else {
        tracing::info!("the database does not say which it is, so it is not noticed if it was restored from a dump");
        return Ok(());
    };
    let sql = "UPDATE perfreg_registry SET identity = $1 WHERE id = 1 AND identity IS NULL";
    client.execute_typed(sql, &[(&current, Type::TEXT)]).await.map_err(classify)?;
    let transaction = client.transaction().await.map_err(classify)?;
    let sql = format!(
        "SELECT {}, coalesce($1, clock_timestamp()), identity,
                (SELECT at FROM perfreg_events ORDER BY position DESC, number DESC LIMIT 1)
           FROM perfreg_registry WHERE id = 1 FOR UPDATE",
        rows::CONTINUITY_COLUMNS
    );
    let row = transaction.query_typed_one(&sql, &[(&now, Type::TIMESTAMPTZ)]).await.map_err(classify)?;
    let (now, before, newest): (Timestamp, Option<&str>, Option<Timestamp>) =
        (get(&row, 3)?, get(&row, 4)?, get(&row, 5)?);
    if before == Some(&current) {
        return Ok(());
    }
    let before = rows::continuity(&row)?;
    let pulse = before.restored(now);
    let run_ids = numbers_left_out(newest.max(before.pulse_at), now);
    go_on(&transaction, &pulse, run_ids, now).await?;
    let sql = "UPDATE perfreg_registry SET identity = $1 WHERE id = 1";
    transaction.execute_typed(sql, &[(&current, Type::TEXT)]).await.map_err(classify)?;
    transaction.commit().await.map_err(classify_commit)?;
    tracing::warn!(
        fence_floor = pulse.continuity.fence_floor,
        "the database was restored from a dump or copied; fences and run_ids go on above those it may not know of, \
         and leases count from now"
    );
    Ok(())
}
