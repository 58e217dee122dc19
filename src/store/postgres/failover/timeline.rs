//! Notices that another server has taken over, which may have forgotten what it never heard of.
//!
//! Every promotion of a standby begins another timeline. One that lagged behind would give fences
//! and run_ids away a second time, so that before anything is decided on another timeline than the
//! registry's row names, all numbers go on far above those that may be lost.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use jiff::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use crate::domain::continuity::{Continuity, Pulse};
use crate::store::postgres::error::{classify, classify_commit};
use crate::store::postgres::events;
use crate::store::postgres::link::session::Session;
use crate::store::postgres::rows::{self, get};
use crate::store::{Known, StoreError};

/// How many run_ids are left out, since so many may have been given away by the server before.
const RUN_IDS_LEFT_OUT: i64 = 1_000_000;
/// The same of the transactions after which events are ordered.
const TRANSACTIONS_LEFT_OUT: i64 = 1 << 32;

/// What this process knows of the timelines of its database.
#[derive(Debug, Default)]
pub struct Timelines {
    /// Engines that only speak PostgreSQL's language may have none.
    are_counted: AtomicBool,
    /// On which one something was last decided.
    last: AtomicI64,
}

impl Timelines {
    /// Finds out whether there are any, and names the first in the registry's row.
    pub async fn prepare(&self, client: &Session) -> Result<(), StoreError> {
        let file = ask_engine(client, "SELECT pg_walfile_name(pg_current_wal_lsn())").await?;
        let current = file.as_deref().and_then(number);
        let Some(current) = current else {
            tracing::info!(
                "the database has no timelines, so a server that takes over and has lost some is not noticed"
            );
            return Ok(());
        };
        let sql = "UPDATE perfreg_registry SET timeline = $1, first_timeline = $1 WHERE id = 1 AND timeline IS NULL";
        client.execute_typed(sql, &[(&current, Type::INT8)]).await.map_err(classify)?;
        self.are_counted.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Two columns, from which [`Self::new_one`] is read: the row's timeline, and the server's.
    pub fn columns(&self) -> &'static str {
        if self.are_counted.load(Ordering::SeqCst) {
            "timeline, pg_walfile_name(pg_current_wal_lsn())"
        } else {
            "NULL::bigint, NULL::text"
        }
    }

    /// The server's timeline if it is another than the registry's row names. What is known of the
    /// database from another timeline is forgotten.
    pub fn new_one(&self, row: &Row, first_column: usize, known: &Known) -> Result<Option<i64>, StoreError> {
        let named: Option<i64> = get(row, first_column)?;
        let Some(current) = get::<Option<&str>>(row, first_column + 1)?.and_then(number) else { return Ok(None) };
        if self.last.swap(current, Ordering::SeqCst) != current {
            known.forget();
        }
        Ok((named != Some(current)).then_some(current))
    }
}

/// What the server says of itself; nothing on an engine that does not know the question.
pub async fn ask_engine(client: &Client, sql: &str) -> Result<Option<String>, StoreError> {
    match client.query_typed_one(sql, &[]).await {
        Ok(row) => get(&row, 0),
        Err(error) => match classify(error) {
            StoreError::Broken(_) | StoreError::Unsuitable(_) => Ok(None),
            error => Err(error),
        },
    }
}

/// The timeline in the name of a file of the write-ahead log.
fn number(file_name: &str) -> Option<i64> {
    i64::from_str_radix(file_name.get(..8)?, 16).ok()
}

/// Goes on on this timeline, in a transaction of its own. A server that comes second finds it done.
pub async fn enter(client: &mut Session, timeline: i64, now: Option<Timestamp>) -> Result<(), StoreError> {
    let transaction = client.transaction().await.map_err(classify)?;
    let sql = format!(
        "SELECT {}, coalesce($1, clock_timestamp()), timeline, first_timeline FROM perfreg_registry WHERE id = 1 FOR UPDATE",
        rows::CONTINUITY_COLUMNS
    );
    let row = transaction.query_typed_one(&sql, &[(&now, Type::TIMESTAMPTZ)]).await.map_err(classify)?;
    let (now, before, first): (Timestamp, Option<i64>, Option<i64>) = (get(&row, 3)?, get(&row, 4)?, get(&row, 5)?);
    if before == Some(timeline) {
        return Ok(());
    }
    let first = first.unwrap_or(timeline);
    let pulse = rows::continuity(&row)?.promoted(before, timeline, timeline - first, now);
    go_on(transaction.client(), &pulse, RUN_IDS_LEFT_OUT, now).await?;
    let sql = "UPDATE perfreg_registry SET timeline = $1, first_timeline = $2 WHERE id = 1";
    transaction.execute_typed(sql, &[(&timeline, Type::INT8), (&first, Type::INT8)]).await.map_err(classify)?;
    transaction.commit().await.map_err(classify_commit)?;
    tracing::warn!(
        timeline,
        before,
        fence_floor = pulse.continuity.fence_floor,
        "another PostgreSQL server has taken over; fences and run_ids go on above those it may not know of, and leases \
         count from now"
    );
    Ok(())
}

/// Goes on as the pulse says, in the transaction that is open, with all numbers above those that may have been forgotten.
pub async fn go_on(client: &Client, pulse: &Pulse, run_ids_left_out: i64, now: Timestamp) -> Result<(), StoreError> {
    let Continuity { fence_floor, pulse_at, resumed_at } = pulse.continuity;
    client
        .execute_typed(
            "UPDATE perfreg_registry SET fence_floor = $1, pulse_at = $2, resumed_at = $3,
                    event_offset = event_offset + $4 WHERE id = 1",
            &[
                (&fence_floor, Type::INT8),
                (&pulse_at, Type::TIMESTAMPTZ),
                (&resumed_at, Type::TIMESTAMPTZ),
                (&TRANSACTIONS_LEFT_OUT, Type::INT8),
            ],
        )
        .await
        .map_err(classify)?;
    let skip = "SELECT setval('perfreg_run_id', last_value + $1) FROM perfreg_run_id";
    client.query_typed_one(skip, &[(&run_ids_left_out, Type::INT8)]).await.map_err(classify)?;
    let saved: Vec<_> = pulse.event.iter().map(|event| (event, None)).collect();
    events::insert(client, &saved, now).await
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn the_timeline_is_the_beginning_of_the_name_of_the_log() {
        assert_eq!(number("0000000100000000000000A3"), Some(1));
        assert_eq!(number("0000001F0000000000000001"), Some(31));
        assert_eq!(number("short"), None);
    }
}
