//! Locations, and the state of the whole registry.

use jiff::Timestamp;
use tokio::time::timeout;
use tokio_postgres::types::Type;

use super::error::classify;
use super::events;
use super::failover::standby::Standby;
use super::link::connection::ANSWER_TIMEOUT;
use super::link::session::Session;
use super::rows;
use super::transaction::{self, LONGEST_LOCK_WAIT, begin, commit};
use crate::domain::admission::{registry_opened, registry_set};
use crate::domain::capacity::location::{Location, LocationName, NOWHERE, of_row, row_name};
use crate::domain::gate::Gate;
use crate::store::StoreError;

/// A row that is deleted stays for its version and its fence.
pub const IS_THERE: &str = "deleted_version IS DISTINCT FROM version";

pub async fn all(client: &Session) -> Result<Vec<Location>, StoreError> {
    // COLLATE "C" sorts as SQLite does, whatever the database's locale.
    let sql = format!(
        "SELECT {} FROM perfreg_locations WHERE name <> $1 AND {IS_THERE} ORDER BY name COLLATE \"C\"",
        rows::LOCATION_COLUMNS
    );
    let found = client.query_typed(&sql, &[(&NOWHERE, Type::TEXT)]).await.map_err(classify)?;
    found.iter().map(rows::location).collect()
}

pub async fn one(client: &Session, name: &LocationName) -> Result<Option<Location>, StoreError> {
    let sql = format!("SELECT {} FROM perfreg_locations WHERE name = $1 AND {IS_THERE}", rows::LOCATION_COLUMNS);
    let found = client.query_typed(&sql, &[(&name.as_str(), Type::TEXT)]).await.map_err(classify)?;
    found.first().map(rows::location).transpose()
}

/// The locations at which something is due; `None` stands for the tests without one.
pub async fn due(client: &Session, now: Option<Timestamp>, any: bool) -> Result<Vec<Option<LocationName>>, StoreError> {
    // A real clock is the database's own. Asked for any, all at which anything ever could be due.
    let sql = "SELECT name FROM perfreg_locations
                WHERE next_due <= coalesce($1, clock_timestamp()) OR ($2 AND waiting + leased > 0)";
    let found = client.query_typed(sql, &[(&now, Type::TIMESTAMPTZ), (&any, Type::BOOL)]).await.map_err(classify)?;
    let named = |row| rows::get(row, 0).map(of_row);
    found.iter().map(named).collect()
}

/// The versions of those of these locations that have ever been used.
pub async fn versions(
    client: &Session,
    locations: &[Option<LocationName>],
) -> Result<Vec<(Option<LocationName>, i64)>, StoreError> {
    let names: Vec<&str> = locations.iter().map(|location| row_name(location.as_ref())).collect();
    let sql = "SELECT name, version FROM perfreg_locations WHERE name = ANY($1)";
    let found = client.query_typed(sql, &[(&names, Type::TEXT_ARRAY)]).await.map_err(classify)?;
    found.iter().map(|row| Ok((of_row(rows::get(row, 0)?), rows::get(row, 1)?))).collect()
}

pub async fn registry(client: &Session) -> Result<Gate, StoreError> {
    let sql = format!("SELECT {} FROM perfreg_registry WHERE id = 1", rows::GATE_COLUMNS);
    rows::gate(&client.query_typed_one(&sql, &[]).await.map_err(classify)?)
}

pub async fn receipt_key(client: &Session) -> Result<Vec<u8>, StoreError> {
    let sql = "SELECT receipt_key FROM perfreg_registry WHERE id = 1";
    rows::get(&client.query_typed_one(sql, &[]).await.map_err(classify)?, 0)
}

/// `now` is a simulated time; a real one is the database's. A connection on which this fails is in the
/// middle of a transaction and must be closed.
pub async fn set_registry(
    client: &Session,
    gate: &Gate,
    now: Option<Timestamp>,
    standby: &Standby,
) -> Result<(), StoreError> {
    in_time(save_registry(client, gate, now, standby)).await?;
    commit(client, standby).await
}

async fn save_registry(
    client: &Session,
    gate: &Gate,
    now: Option<Timestamp>,
    standby: &Standby,
) -> Result<(), StoreError> {
    begin(client, LONGEST_LOCK_WAIT, standby).await?;
    // Waits for every decision under way, which may have read the old gate, and holds up those
    // that follow until they can read the new one. A decision locks its location first.
    client.batch_execute("LOCK TABLE perfreg_locations IN EXCLUSIVE MODE").await.map_err(classify)?;
    let now = transaction::now(client, now, standby).await?;
    client
        .execute_typed(
            "UPDATE perfreg_registry SET state = $1, state_reason = $2, state_by = $3, state_until = $4 WHERE id = 1",
            &[
                (&gate.state.as_str(), Type::TEXT),
                (&gate.reason, Type::TEXT),
                (&gate.by, Type::TEXT),
                (&gate.until, Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map_err(classify)?;
    events::insert(client, &[(&registry_set(gate), None)], now).await
}

/// Opens the registry's gate if its time has come. No decision waits for that: each looks at the
/// time itself. A connection on which this fails must be closed.
pub async fn open_registry(client: &Session, now: Option<Timestamp>, standby: &Standby) -> Result<bool, StoreError> {
    let opened = in_time(save_opening(client, now, standby)).await?;
    if let Some(opened) = opened {
        commit(client, standby).await?;
        return Ok(opened);
    }
    Ok(false)
}

/// Gives nothing where no transaction was begun, and else whether there was a gate to open.
async fn save_opening(client: &Session, now: Option<Timestamp>, standby: &Standby) -> Result<Option<bool>, StoreError> {
    let is_due = "SELECT coalesce($1, clock_timestamp()) FROM perfreg_registry
                   WHERE id = 1 AND state_until <= coalesce($1, clock_timestamp())";
    let due = client.query_typed_opt(is_due, &[(&now, Type::TIMESTAMPTZ)]).await.map_err(classify)?;
    let Some(now) = due.map(|row| rows::get::<Timestamp>(&row, 0)).transpose()? else { return Ok(None) };
    begin(client, LONGEST_LOCK_WAIT, standby).await?;
    let opened = client
        .execute_typed(
            "UPDATE perfreg_registry SET state = 'open', state_reason = NULL, state_by = NULL, state_until = NULL
              WHERE id = 1 AND state_until <= $1",
            &[(&now, Type::TIMESTAMPTZ)],
        )
        .await
        .map_err(classify)?;
    if opened > 0 {
        events::insert(client, &[(&registry_opened(), None)], now).await?;
    }
    Ok(Some(opened > 0))
}

/// What comes before a commit has changed nothing if there is no answer.
pub async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let silent = |_| StoreError::Unavailable(format!("no answer within {ANSWER_TIMEOUT:?}"));
    timeout(ANSWER_TIMEOUT, work).await.map_err(silent)?
}

/// Fails on a server that only reads.
pub async fn check_writable(client: &Session) -> Result<(), StoreError> {
    let row = client
        .query_typed_one("SELECT current_setting('transaction_read_only') = 'on'", &[])
        .await
        .map_err(classify)?;
    if rows::get(&row, 0)? {
        return Err(StoreError::Unavailable(
            "the database only reads; its server was demoted, is still recovering, or is set so".to_owned(),
        ));
    }
    Ok(())
}
