//! Locks the location, asks the rule, saves its plan, commits.

use std::collections::HashSet;

use deadpool_postgres::Object;
use jiff::Timestamp;
use tokio::time::timeout;
use tokio::try_join;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{IsolationLevel, Transaction};
use uuid::Uuid;

use super::connection::ANSWER_TIMEOUT;
use super::error::{classify, classify_commit};
use super::events;
use super::idempotency;
use super::rows::{self, get};
use super::write;
use crate::clock::Clock;
use crate::domain::admission::{Command, MOST_HOLDERS_NAMED, Outcomes, Snapshot, decide as ask_rule};
use crate::domain::answer::Holder;
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;
use crate::domain::location::{Location, row_name};
use crate::store::{Batch, Decided, Known, Saved, StoreError};

pub async fn decide(client: &mut Object, batch: &Batch, clock: &Clock, known: &Known) -> Result<Decided, StoreError> {
    // What is read after the lock must see what was committed while we waited for it, which only
    // READ COMMITTED promises, whatever the database's default.
    let builder = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
    let transaction = builder.start().await.map_err(classify)?;
    let silent = |_| StoreError::Unavailable(format!("no answer within {ANSWER_TIMEOUT:?}"));
    let deciding = decide_and_save(&transaction, batch, clock, known);
    let Saved { snapshot, plan, run_ids, answers } = timeout(ANSWER_TIMEOUT, deciding).await.map_err(silent)??;
    if plan.changes_anything() {
        // From here on no answer means that nobody knows whether it was saved.
        let unknown = |_| StoreError::CommitUnknown(format!("no answer to a commit within {ANSWER_TIMEOUT:?}"));
        timeout(ANSWER_TIMEOUT, transaction.commit()).await.map_err(unknown)?.map_err(classify_commit)?;
        known.terms.remember(&plan.inserted);
    } else {
        transaction.rollback().await.map_err(classify)?;
    }
    known.runs.remember(snapshot, &plan, &run_ids);
    let changed = plan.updated.iter().map(|run| run.run_id).collect();
    Ok(Decided { answers, changed })
}

async fn decide_and_save(
    transaction: &Transaction<'_>,
    batch: &Batch,
    clock: &Clock,
    known: &Known,
) -> Result<Saved, StoreError> {
    let Locked { location, registry, now, is_new } = lock(transaction, batch, clock).await?;
    let executions = executions(transaction, batch, &location, known.runs.take(&location)).await?;
    let first_answers = idempotency::find(transaction, &batch.commands, now).await?;
    let mut snapshot = Snapshot { location, registry, executions, first_answers, holders: Vec::new() };
    let mut plan = ask_rule(&snapshot, &batch.commands, now);
    if plan.shows_holders() {
        // Only then somebody has to be told who holds the location; asking again changes nothing.
        snapshot.holders = holders(transaction, batch).await?;
        plan = ask_rule(&snapshot, &batch.commands, now);
    }
    let run_ids = write::insert_executions(transaction, &plan.inserted).await?;
    let Outcomes { answers, events } = plan.outcomes(&run_ids);
    let unknown_terms = known.terms.unknown(&plan.inserted);
    // Sent together, so that the server has the next while it does the one before. Of the errors the
    // first tells why; those after it only say that the transaction has failed.
    try_join!(
        biased;
        write::update_executions(transaction, &plan.updated),
        write::insert_terms(transaction, &unknown_terms),
        events::insert(transaction, &events, Some(name(batch)), now),
        idempotency::insert(transaction, &batch.commands, &answers, now),
        async {
            match plan.changes_location() {
                true => write::save_location(transaction, &plan.location).await,
                false if is_new => write::remove_location(transaction, name(batch)).await,
                false => Ok(()),
            }
        },
    )?;
    Ok(Saved { snapshot, plan, run_ids, answers })
}

/// What was read under the location's lock.
struct Locked {
    location: Location,
    registry: Gate,
    now: Timestamp,
    /// Whether the row was made for this batch alone.
    is_new: bool,
}

fn name(batch: &Batch) -> &str {
    row_name(batch.location.as_ref())
}

/// Locks the location's row, which it makes if there is none, and reads the time after that: a
/// time from before a long wait would be stale.
async fn lock(transaction: &Transaction<'_>, batch: &Batch, clock: &Clock) -> Result<Locked, StoreError> {
    if let Some(locked) = try_lock(transaction, batch, clock).await? {
        return Ok(locked);
    }
    let unused = Location::unused(batch.location.clone());
    let made = transaction
        .execute_typed(
            "INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence)
             VALUES ($1, $2, 0, 0, 0) ON CONFLICT DO NOTHING",
            &[(&name(batch), Type::TEXT), (&unused.capacity.millionths(), Type::INT8)],
        )
        .await
        .map_err(classify)?;
    let gone = || StoreError::Conflict("the location's row went away while it was locked".to_owned());
    let locked = try_lock(transaction, batch, clock).await?.ok_or_else(gone)?;
    Ok(Locked { is_new: made > 0, ..locked })
}

async fn try_lock(transaction: &Transaction<'_>, batch: &Batch, clock: &Clock) -> Result<Option<Locked>, StoreError> {
    let lock = format!("SELECT {} FROM perfreg_locations WHERE name = $1 FOR UPDATE", rows::LOCATION_COLUMNS);
    let read = format!("SELECT {}, clock_timestamp() FROM perfreg_registry WHERE id = 1", rows::GATE_COLUMNS);
    let name = name(batch);
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&name, Type::TEXT)];
    // Sent together and in this order; the server takes the second up only when the first holds the lock.
    let (locked, registry) =
        try_join!(biased; transaction.query_typed_opt(&lock, &parameters), transaction.query_typed_one(&read, &[]))
            .map_err(classify)?;
    let now = match clock {
        Clock::Real => get(&registry, 4)?,
        Clock::Simulated(clock) => clock.now(),
    };
    locked
        .map(|row| Ok(Locked { location: rows::location(&row)?, registry: rows::gate(&registry)?, now, is_new: false }))
        .transpose()
}

/// What the rule has to see: who waits, who runs with a lease, and whom the commands name.
async fn executions(
    transaction: &Transaction<'_>,
    batch: &Batch,
    location: &Location,
    known: Option<Vec<Execution>>,
) -> Result<Vec<Execution>, StoreError> {
    let remembered: HashSet<RunId> = known.iter().flatten().map(|run| run.run_id).collect();
    let named = batch.commands.iter().filter_map(Command::run_id);
    let run_ids: Vec<i64> = named.filter(|run_id| !remembered.contains(run_id)).map(|run_id| run_id.0).collect();
    let ids: Vec<Uuid> = batch
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Register(registration) if batch.is_retry => Some(registration.id),
            _ => None,
        })
        .collect();
    let here = if location.name.is_some() { "location = $1" } else { "location IS NULL AND $1 = ''" };
    let queued = format!("status = 'queued' AND {here}");
    let leased = format!("status = 'running' AND lease_seconds IS NOT NULL AND {here}");
    let name = name(batch);
    let selections: [(bool, &str, (&(dyn ToSql + Sync), Type)); 4] = [
        (location.waiting > 0 && known.is_none(), &queued, (&name, Type::TEXT)),
        (location.leased > 0 && known.is_none(), &leased, (&name, Type::TEXT)),
        (!run_ids.is_empty(), "run_id = ANY($1)", (&run_ids, Type::INT8_ARRAY)),
        (!ids.is_empty(), "id = ANY($1)", (&ids, Type::UUID_ARRAY)),
    ];
    let mut found = known.unwrap_or_default();
    for (_, condition, parameter) in selections.into_iter().filter(|(is_needed, ..)| *is_needed) {
        let sql = format!("SELECT {} FROM test_executions WHERE {condition}", rows::EXECUTION_COLUMNS);
        for row in &transaction.query_typed(&sql, &[parameter]).await.map_err(classify)? {
            found.push(rows::execution(row)?);
        }
    }
    Ok(found)
}

async fn holders(transaction: &Transaction<'_>, batch: &Batch) -> Result<Vec<Holder>, StoreError> {
    let sql = format!(
        "SELECT {} FROM test_executions WHERE status = 'running' AND location = $1
          ORDER BY coalesce(factor_millionths, 0) DESC, start_time, run_id LIMIT $2",
        rows::HOLDER_COLUMNS
    );
    let limit = (MOST_HOLDERS_NAMED + batch.commands.len()) as i64;
    let found =
        transaction.query_typed(&sql, &[(&name(batch), Type::TEXT), (&limit, Type::INT8)]).await.map_err(classify)?;
    found.iter().map(rows::holder).collect()
}
