//! Notices that the database was made from a dump, which does not know what was registered after it.
//!
//! The registry's row names the tables it is in. A dump takes that name along to other tables.

use jiff::Timestamp;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::domain::continuity::numbers_left_out;
use crate::store::StoreError;
use crate::store::postgres::error::classify;
use crate::store::postgres::failover::standby::Standby;
use crate::store::postgres::failover::timeline::{ask_engine, go_on};
use crate::store::postgres::link::session::Session;
use crate::store::postgres::rows::{self, get};
use crate::store::postgres::transaction::{LONGEST_LOCK_WAIT, begin, commit};

/// The server's own name is the same on its standbys, and another on one that a dump was loaded into.
const IDENTITY: &str = "
    SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
           || '/' || 'perfreg_registry'::regclass::oid
      FROM pg_control_system()";

/// The newest moment that the database knows of; the database itself is older than anything in it.
const KNOWN_UNTIL: &str = "
    greatest((SELECT at FROM perfreg_events ORDER BY position DESC, number DESC LIMIT 1),
             (SELECT start_time FROM test_executions ORDER BY start_time DESC, run_id DESC LIMIT 1),
             (SELECT min(applied_at) FROM perfreg_migrations))";

/// If these are other tables than the registry's row names, all numbers go on far above those that may have
/// been given away since, in a transaction of its own. To be called when a server starts, before anything else
/// is asked of the row.
pub async fn check(client: &Session, now: Option<Timestamp>, standby: &Standby) -> Result<(), StoreError> {
    let Some(current) = ask_engine(client, IDENTITY).await? else {
        tracing::info!("the database does not say which it is, so it is not noticed if it was restored from a dump");
        return Ok(());
    };
    let named = "SELECT identity FROM perfreg_registry WHERE id = 1";
    let named = client.query_typed_one(named, &[]).await.map_err(classify)?;
    if get::<Option<&str>>(&named, 0)? == Some(&current) {
        return Ok(());
    }
    begin(client, LONGEST_LOCK_WAIT, standby).await?;
    enter(client, &current, now).await?;
    commit(client, standby).await
}

/// Names the tables in the row. A server that comes second finds it done.
async fn enter(client: &Client, current: &str, now: Option<Timestamp>) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {}, coalesce($1, clock_timestamp()), identity, {KNOWN_UNTIL} FROM perfreg_registry
          WHERE id = 1 FOR UPDATE",
        rows::CONTINUITY_COLUMNS
    );
    let row = client.query_typed_one(&sql, &[(&now, Type::TIMESTAMPTZ)]).await.map_err(classify)?;
    let (now, before, newest): (Timestamp, Option<&str>, Option<Timestamp>) =
        (get(&row, 3)?, get(&row, 4)?, get(&row, 5)?);
    if before == Some(current) {
        return Ok(());
    }
    let mut set = "identity = $1";
    if before.is_some() {
        let continuity = rows::continuity(&row)?;
        let pulse = continuity.restored(now);
        go_on(client, &pulse, numbers_left_out(newest.max(continuity.pulse_at), now), now).await?;
        tracing::warn!(
            fence_floor = pulse.continuity.fence_floor,
            "the database was restored from a dump or copied; fences and run_ids go on above those it may not know \
             of, and leases count from now"
        );
        // The timelines that it names are those of the server that it comes from.
        set = "identity = $1, timeline = NULL, first_timeline = NULL";
    }
    client
        .execute_typed(&format!("UPDATE perfreg_registry SET {set} WHERE id = 1"), &[(&current, Type::TEXT)])
        .await
        .map(|_| ())
        .map_err(classify)
}
