//! Locks the rows of the locations that a batch is about.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Object;
use jiff::Timestamp;
use tokio::try_join;
use tokio_postgres::types::Type;

use super::error::classify;
use super::reading;
use super::rows::{self, get};
use super::write;
use crate::clock::Clock;
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;
use crate::domain::location::{Location, row_name};
use crate::store::{Batch, Known, Lane, StoreError};

/// What was read under the locks.
pub struct Locked {
    /// For each lane.
    pub locations: Vec<Location>,
    /// For each lane, whether its row was made for this batch.
    pub is_new: Vec<bool>,
    pub registry: Gate,
    pub now: Timestamp,
    /// Numbers for what will probably start.
    pub run_ids: Vec<RunId>,
    /// Of the executions that the commands name, those that were not thought to be remembered.
    pub named: HashMap<RunId, Execution>,
}

/// Begins a transaction, locks the rows, of which it makes those that are missing, and reads the
/// time after that: a time from before a long wait would be stale.
pub async fn lock(client: &Object, batch: &Batch, clock: &Clock, known: &Known) -> Result<Locked, StoreError> {
    let names: Vec<&str> = batch.lanes.iter().map(name).collect();
    // What is read after the lock must see what was committed while we waited for it, which only
    // READ COMMITTED promises, whatever the database's default.
    let begin = async { client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(classify) };
    let wanted = probably_unknown(batch, known);
    let starts = batch.lanes.iter().map(|lane| known.rosters.probable_starts(lane)).sum();
    // Numbers are drawn under the locks, so that at each location they only grow.
    let lock_and_read = after(begin, client, &names, clock, &wanted);
    let (((), mut under_lock), run_ids) = try_join!(biased; lock_and_read, write::draw_run_ids(client, starts))?;
    let missing: Vec<&str> = names.iter().copied().filter(|name| !under_lock.rows.contains_key(*name)).collect();
    let mut made = HashSet::new();
    if !missing.is_empty() {
        (made, under_lock) = after(make(client, &missing), client, &names, clock, &wanted).await?;
    }
    let UnderLock { mut rows, gate_and_time: (registry, now), runs } = under_lock;
    let gone = || StoreError::Conflict("a location's row went away while it was locked".to_owned());
    let is_new = names.iter().map(|name| made.contains(*name)).collect();
    let locations = names.iter().map(|name| rows.remove(*name).ok_or_else(gone)).collect::<Result<_, _>>()?;
    Ok(Locked { locations, is_new, registry, now, run_ids, named: runs })
}

struct UnderLock {
    rows: HashMap<String, Location>,
    gate_and_time: (Gate, Timestamp),
    runs: HashMap<RunId, Execution>,
}

/// Does the first, locks the rows and reads under the locks. All is sent together and in this
/// order; the server takes up each when the one before is done.
async fn after<T>(
    first: impl Future<Output = Result<T, StoreError>>,
    client: &Object,
    names: &[&str],
    clock: &Clock,
    run_ids: &[i64],
) -> Result<(T, UnderLock), StoreError> {
    let (done, rows, gate_and_time, runs) = try_join!(
        biased;
        first,
        rows(client, names),
        gate_and_time(client, clock),
        reading::by_run_id(client, run_ids),
    )?;
    Ok((done, UnderLock { rows, gate_and_time, runs }))
}

pub fn name(lane: &Lane) -> &str {
    row_name(lane.location.as_ref())
}

/// The executions that the commands name, but for those that we seem to remember.
fn probably_unknown(batch: &Batch, known: &Known) -> Vec<i64> {
    let named = batch.lanes.iter().flat_map(|lane| lane.commands.iter().map(move |command| (lane, command.run_id())));
    named
        .filter_map(|(lane, run_id)| {
            run_id.filter(|run_id| !known.rosters.probably_has(lane.location.as_ref(), *run_id))
        })
        .map(|run_id| run_id.0)
        .collect()
}

/// In one order on all servers, so that no two wait for each other in a circle.
async fn rows(client: &Object, names: &[&str]) -> Result<HashMap<String, Location>, StoreError> {
    let sql = format!(
        "SELECT {} FROM perfreg_locations WHERE name = ANY($1) ORDER BY name FOR UPDATE",
        rows::LOCATION_COLUMNS
    );
    let found = client.query_typed(&sql, &[(&names, Type::TEXT_ARRAY)]).await.map_err(classify)?;
    found.iter().map(|row| Ok((get(row, 0)?, rows::location(row)?))).collect()
}

async fn gate_and_time(client: &Object, clock: &Clock) -> Result<(Gate, Timestamp), StoreError> {
    let sql = format!("SELECT {}, clock_timestamp() FROM perfreg_registry WHERE id = 1", rows::GATE_COLUMNS);
    let row = client.query_typed_one(&sql, &[]).await.map_err(classify)?;
    let now = match clock {
        Clock::Real => get(&row, 4)?,
        Clock::Simulated(clock) => clock.now(),
    };
    Ok((rows::gate(&row)?, now))
}

/// Makes rows and names those that it made. One that another server makes at the same time is
/// waited for, and is that server's.
async fn make(client: &Object, names: &[&str]) -> Result<HashSet<String>, StoreError> {
    let capacity = Location::DEFAULT_CAPACITY.millionths();
    let made = client
        .query_typed(
            "INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence)
             SELECT name, $2, 0, 0, 0 FROM unnest($1) AS new (name) ORDER BY name ON CONFLICT DO NOTHING RETURNING name",
            &[(&names, Type::TEXT_ARRAY), (&capacity, Type::INT8)],
        )
        .await
        .map_err(classify)?;
    made.iter().map(|row| get(row, 0)).collect()
}
