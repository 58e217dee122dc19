//! Locks the rows of the locations that a batch is about.

use std::collections::HashMap;

use futures_util::TryFutureExt;
use jiff::Timestamp;
use tokio::try_join;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::context::Context;
use super::error::classify;
use super::failover::standby::IS_SET;
use super::link::session::{Execute, Session};
use super::reading;
use super::rows::{self, get};
use super::transaction::{LONGEST_LOCK_WAIT, begin};
use super::write;
use crate::clock::Clock;
use crate::domain::capacity::location::{Location, row_name};
use crate::domain::continuity::Continuity;
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;
use crate::seeded_bug::{self, Bug};
use crate::store::{Batch, Known, Lane, StoreError};

/// For how long a transaction of several locations waits for the first of them.
const PATIENCE: &str = "100ms";

/// What was read under the locks.
pub struct Locked<'batch> {
    /// Whose locations are locked, in the order of the batch.
    pub lanes: Vec<&'batch Lane>,
    /// For each of these lanes.
    pub locations: Vec<Location>,
    /// The row that was made for this batch.
    pub made: Option<&'batch str>,
    pub registry: Gate,
    pub continuity: Continuity,
    pub now: Timestamp,
    /// Numbers for what will probably start.
    pub run_ids: Vec<RunId>,
    /// Of the executions that the commands name, those that were not thought to be remembered.
    pub named: HashMap<RunId, Execution>,
}

/// What came of locking.
pub enum Lock<'batch> {
    Locked(Box<Locked<'batch>>),
    /// Others hold the first location for longer than a moment.
    Held,
    /// Another server has taken over, on this timeline, which has to be entered first.
    Promoted(i64),
}

/// Begins a transaction, locks the rows and reads the time after that: a time from before a long
/// wait would be stale.
///
/// It waits for the first row only, which is made if it is not there, and holds no other while it
/// waits; of the others it takes those that are free. So no two transactions wait for each other
/// in a circle, and who holds one location holds up nobody at others.
///
/// Nothing is locked if the first is held by others for longer than a moment.
pub async fn lock<'batch>(
    client: &Session,
    batch: &'batch Batch,
    context: &Context<'_>,
) -> Result<Lock<'batch>, StoreError> {
    let names: Vec<&str> = batch.lanes.iter().map(name).collect();
    let (first, others) = names.split_first().ok_or_else(|| StoreError::Broken("a batch has a lane".to_owned()))?;
    let known = context.known;
    let wanted = probably_unknown(batch, known);
    let starts = batch.lanes.iter().map(|lane| known.rosters.probable_starts(lane)).sum();
    let patience = if others.is_empty() || batch.is_retry { None } else { Some(PATIENCE) };
    // All is sent together and in this order; the server takes up each when the one before is done.
    let locked = try_join!(
        biased;
        begin(client, patience.unwrap_or(LONGEST_LOCK_WAIT), context.standby).map_err(Obstacle::Failed),
        row(client, first),
        rows(client, others, batch.is_retry).map_err(Obstacle::Failed),
        registry(client, context).map_err(Obstacle::Failed),
        reading::by_run_id(client, &wanted).map_err(Obstacle::Failed),
        write::draw_run_ids(client, starts).map_err(Obstacle::Failed),
    );
    let ((), found, mut rows, mut registry, runs, run_ids) = match locked {
        Ok(locked) => locked,
        Err(Obstacle::Held) if patience.is_some() => return Ok(Lock::Held),
        Err(obstacle) => return Err(obstacle.into_error(first)),
    };
    if let Some(timeline) = registry.new_timeline {
        return Ok(Lock::Promoted(timeline));
    }
    let mut made = None;
    let found = if let Some(row) = found {
        row
    } else {
        let again = match make_and_lock(client, first, context).await {
            Ok(again) => again,
            Err(Obstacle::Held) if patience.is_some() => return Ok(Lock::Held),
            Err(obstacle) => return Err(obstacle.into_error(first)),
        };
        registry = again.registry;
        made = again.is_ours.then_some(*first);
        again.location
    };
    rows.insert((*first).to_owned(), found);
    let (lanes, locations) = batch.lanes.iter().filter_map(|lane| Some((lane, rows.remove(name(lane))?))).unzip();
    let RegistryRow { gate, continuity, now, .. } = registry;
    let locked = Locked { lanes, locations, made, registry: gate, continuity, now, run_ids, named: runs };
    Ok(Lock::Locked(Box::new(locked)))
}

/// Why the rows are not locked.
enum Obstacle {
    /// Others hold the first for longer than a moment.
    Held,
    Failed(StoreError),
}

impl Obstacle {
    /// For whoever has waited for as long as anybody does.
    fn into_error(self, name: &str) -> StoreError {
        match self {
            Self::Held => StoreError::Unavailable(format!("others hold the location {name:?} for too long")),
            Self::Failed(error) => error,
        }
    }
}

struct New {
    is_ours: bool,
    location: Location,
    registry: RegistryRow,
}

async fn make_and_lock(client: &Session, name: &str, context: &Context<'_>) -> Result<New, Obstacle> {
    let (is_ours, row, registry) = try_join!(
        biased;
        make(client, name),
        row(client, name),
        registry(client, context).map_err(Obstacle::Failed),
    )?;
    let gone = || StoreError::Conflict("a location's row went away while it was locked".to_owned());
    let found = row.ok_or_else(|| Obstacle::Failed(gone()))?;
    Ok(New { is_ours, location: Location { is_new: is_ours || found.is_new, ..found }, registry })
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

fn obstacle(error: tokio_postgres::Error) -> Obstacle {
    match error.code() {
        Some(&SqlState::LOCK_NOT_AVAILABLE) => Obstacle::Held,
        _ => Obstacle::Failed(classify(error)),
    }
}

async fn row(client: &Session, name: &str) -> Result<Option<Location>, Obstacle> {
    let mut sql = format!("SELECT {} FROM perfreg_locations WHERE name = $1 FOR UPDATE", rows::LOCATION_COLUMNS);
    if seeded_bug::is(Bug::SumBeforeLock) {
        sql = format!(
            "WITH locked AS (SELECT FROM perfreg_locations WHERE name = $1 FOR UPDATE)
             SELECT {} FROM perfreg_locations, locked WHERE name = $1",
            rows::LOCATION_COLUMNS
        );
    }
    let found = client.query_opt(&sql, &[(&name, Type::TEXT)]).await.map_err(obstacle)?;
    let mut location = found.as_ref().map(rows::location).transpose().map_err(Obstacle::Failed)?;
    if let Some(location) = location.as_mut().filter(|_| seeded_bug::is(Bug::SumRepeatableRead)) {
        location.used = reading::holders(client, location, usize::MAX >> 1)
            .await
            .map_err(Obstacle::Failed)?
            .iter()
            .map(|holder| holder.factor)
            .sum();
    }
    Ok(location)
}

/// Those that are free, or, if it has to be all, all in one order on all servers.
pub async fn rows(client: &Session, names: &[&str], all: bool) -> Result<HashMap<String, Location>, StoreError> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let skip = if all { "" } else { "SKIP LOCKED" };
    let sql = format!(
        "SELECT {} FROM perfreg_locations WHERE name = ANY($1) ORDER BY name FOR UPDATE {skip}",
        rows::LOCATION_COLUMNS
    );
    let found = client.query(&sql, &[(&names, Type::TEXT_ARRAY)]).await.map_err(classify)?;
    found.iter().map(|row| Ok((get(row, 0)?, rows::location(row)?))).collect()
}

/// What holds at every location.
struct RegistryRow {
    gate: Gate,
    continuity: Continuity,
    now: Timestamp,
    /// The server's timeline, if it is not the one of the row.
    new_timeline: Option<i64>,
}

async fn registry(client: &Session, context: &Context<'_>) -> Result<RegistryRow, StoreError> {
    let Context { clock, known, timelines, standby, .. } = *context;
    let time = if seeded_bug::is(Bug::ExpiryByTransactionStart) { "now()" } else { "clock_timestamp()" };
    let sql = format!(
        "SELECT {}, {}, {time}, {}, {IS_SET} FROM perfreg_registry WHERE id = 1",
        rows::CONTINUITY_COLUMNS,
        rows::GATE_COLUMNS,
        timelines.columns()
    );
    let row = client.query_one(&sql, &[]).await.map_err(classify)?;
    standby.note(get(&row, 10)?)?;
    let now = match clock {
        Clock::Real if seeded_bug::is(Bug::ExpiryByServerClock) => clock.now(),
        Clock::Real => get(&row, 7)?,
        Clock::Simulated(clock) => clock.now(),
    };
    let (continuity, gate) = rows::registry(&row)?;
    Ok(RegistryRow { gate, continuity, now, new_timeline: timelines.new_one(&row, 8, known)? })
}

/// Says whether it made the row. One that another server makes at the same time is waited for, and
/// is that server's.
async fn make(client: &Session, name: &str) -> Result<bool, Obstacle> {
    let capacity = Location::DEFAULT_CAPACITY.millionths();
    let made = client
        .execute(
            "INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence)
             VALUES ($1, $2, 0, 0, 0) ON CONFLICT DO NOTHING",
            &[(&name, Type::TEXT), (&capacity, Type::INT8)],
        )
        .await
        .map_err(obstacle)?;
    Ok(made > 0)
}
