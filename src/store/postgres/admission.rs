//! Locks the location, asks the rule, saves its plan, commits.

use std::collections::HashMap;

use deadpool_postgres::Object;
use futures_util::future::try_join;
use jiff::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{IsolationLevel, Transaction};
use uuid::Uuid;

use super::error::{classify, classify_commit};
use super::rows::{self, get};
use crate::clock::Clock;
use crate::domain::admission::{Command, MOST_HOLDERS_NAMED, Plan, Snapshot, decide as ask_rule};
use crate::domain::answer::{Answer, Holder};
use crate::domain::execution::{Execution, Registration, RunId};
use crate::domain::factor::Factor;
use crate::domain::location::{Location, LocationName, NOWHERE};
use crate::store::known_terms::{KnownTerms, Term};
use crate::store::{Batch, StoreError};

pub async fn decide(
    client: &mut Object,
    batch: &Batch,
    clock: &Clock,
    known_terms: &KnownTerms,
) -> Result<Vec<Answer>, StoreError> {
    // What is read after the lock must see what was committed while we waited for it, which only
    // READ COMMITTED promises, whatever the database's default.
    let builder = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
    let transaction = builder.start().await.map_err(classify)?;
    let (plan, run_ids) = decide_and_save(&transaction, batch, clock, known_terms).await?;
    if plan.changes_anything() {
        transaction.commit().await.map_err(classify_commit)?;
        known_terms.remember(&plan.starting);
    } else {
        transaction.rollback().await.map_err(classify)?;
    }
    Ok(plan.answers(&run_ids))
}

async fn decide_and_save(
    transaction: &Transaction<'_>,
    batch: &Batch,
    clock: &Clock,
    known_terms: &KnownTerms,
) -> Result<(Plan, Vec<RunId>), StoreError> {
    let (location, now) = lock(transaction, batch, clock).await?;
    let mut snapshot = Snapshot { location, holders: Vec::new(), named: named(transaction, batch).await? };
    let mut plan = ask_rule(&snapshot, &batch.commands, now);
    if plan.refuses_any() {
        // Only a refusal has to say who holds the location; asking again changes nothing else.
        snapshot.holders = holders(transaction, batch).await?;
        plan = ask_rule(&snapshot, &batch.commands, now);
    }
    let run_ids = insert_starting(transaction, &plan).await?;
    update_ended(transaction, &plan.ended).await?;
    insert_terms(transaction, &known_terms.unknown(&plan.starting)).await?;
    if plan.changes_anything() {
        save_location(transaction, &plan.location).await?;
    }
    Ok((plan, run_ids))
}

fn name(batch: &Batch) -> &str {
    batch.location.as_ref().map_or(NOWHERE, |name| name.as_str())
}

/// Locks the location's row, which it makes if there is none, and reads the time after that: a
/// time from before a long wait would be stale.
async fn lock(
    transaction: &Transaction<'_>,
    batch: &Batch,
    clock: &Clock,
) -> Result<(Location, Timestamp), StoreError> {
    if let Some(locked) = try_lock(transaction, batch, clock).await? {
        return Ok(locked);
    }
    let unused = Location::unused(batch.location.clone());
    transaction
        .execute_typed(
            "INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence)
             VALUES ($1, $2, 0, 0, 0) ON CONFLICT DO NOTHING",
            &[(&name(batch), Type::TEXT), (&unused.capacity.millionths(), Type::INT8)],
        )
        .await
        .map_err(classify)?;
    let gone = || StoreError::Conflict("the location's row went away while it was locked".to_owned());
    try_lock(transaction, batch, clock).await?.ok_or_else(gone)
}

async fn try_lock(
    transaction: &Transaction<'_>,
    batch: &Batch,
    clock: &Clock,
) -> Result<Option<(Location, Timestamp)>, StoreError> {
    let sql = format!("SELECT {} FROM perfreg_locations WHERE name = $1 FOR UPDATE", rows::LOCATION_COLUMNS);
    let name = name(batch);
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 1] = [(&name, Type::TEXT)];
    // Sent together; the server takes the second up only when the first holds the lock.
    let (locked, time) = try_join(
        transaction.query_typed_opt(&sql, &parameters),
        transaction.query_typed_one("SELECT clock_timestamp()", &[]),
    )
    .await
    .map_err(classify)?;
    let now = match clock {
        Clock::Real => get(&time, 0)?,
        Clock::Simulated(clock) => clock.now(),
    };
    locked.map(|row| Ok((rows::location(&row)?, now))).transpose()
}

async fn named(transaction: &Transaction<'_>, batch: &Batch) -> Result<Vec<Execution>, StoreError> {
    let (mut run_ids, mut ids) = (Vec::new(), Vec::new());
    for command in &batch.commands {
        match command {
            Command::End { run_id, .. } => run_ids.push(run_id.0),
            Command::Register(registration) if batch.is_retry => ids.push(registration.id),
            Command::Register(_) | Command::SetCapacity(_) => {}
        }
    }
    if run_ids.is_empty() && ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT {} FROM test_executions WHERE run_id = ANY($1) OR id = ANY($2)", rows::EXECUTION_COLUMNS);
    let found = transaction
        .query_typed(&sql, &[(&run_ids, Type::INT8_ARRAY), (&ids, Type::UUID_ARRAY)])
        .await
        .map_err(classify)?;
    found.iter().map(rows::execution).collect()
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

/// One statement for the whole batch. The numbers are drawn in the order of the commands.
async fn insert_starting(transaction: &Transaction<'_>, plan: &Plan) -> Result<Vec<RunId>, StoreError> {
    if plan.starting.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = plan.starting.iter().map(|registration| registration.id).collect();
    let column = |read: fn(&Registration) -> &String| plan.starting.iter().map(read).collect::<Vec<_>>();
    let optional =
        |read: fn(&Registration) -> Option<&str>| plan.starting.iter().map(read).collect::<Vec<Option<&str>>>();
    let factors: Vec<Option<i64>> =
        plan.starting.iter().map(|registration| registration.details.factor.map(Factor::millionths)).collect();
    let inserted = transaction
        .query_typed(
            "INSERT INTO test_executions (run_id, id, repo, lac, stream, test, type, environment, triggered_by,
                                          dashboard_url, location, extra, factor, factor_millionths,
                                          status, start_time)
             SELECT nextval('perfreg_run_id'), id, repo, lac, stream, test, type, environment, triggered_by,
                    dashboard_url, location, extra::json, trim_scale(factor * 0.000001), factor, 'running', $13
               FROM (SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) WITH ORDINALITY
                         AS starting (id, repo, lac, stream, test, type, environment, triggered_by,
                                      dashboard_url, location, extra, factor, position)
                      ORDER BY position) AS starting
             RETURNING run_id::bigint, id",
            &[
                (&ids, Type::UUID_ARRAY),
                (&column(|run| &run.details.repo), Type::TEXT_ARRAY),
                (&column(|run| &run.details.lac), Type::TEXT_ARRAY),
                (&column(|run| &run.details.stream), Type::TEXT_ARRAY),
                (&column(|run| &run.details.test), Type::TEXT_ARRAY),
                (&column(|run| &run.details.kind), Type::TEXT_ARRAY),
                (&column(|run| &run.details.environment), Type::TEXT_ARRAY),
                (&column(|run| &run.details.triggered_by), Type::TEXT_ARRAY),
                (&optional(|run| run.details.dashboard_url.as_deref()), Type::TEXT_ARRAY),
                (&optional(|run| run.details.location.as_ref().map(LocationName::as_str)), Type::TEXT_ARRAY),
                (&column(|run| &run.details.extra), Type::TEXT_ARRAY),
                (&factors, Type::INT8_ARRAY),
                (&plan.now, Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map_err(classify)?;
    let mut numbered: HashMap<Uuid, RunId> = HashMap::with_capacity(inserted.len());
    for row in &inserted {
        numbered.insert(get(row, 1)?, RunId(get(row, 0)?));
    }
    let missing = || StoreError::Broken("an inserted execution came back without a run_id".to_owned());
    ids.iter().map(|id| numbered.get(id).copied().ok_or_else(missing)).collect()
}

async fn update_ended(transaction: &Transaction<'_>, ended: &[Execution]) -> Result<(), StoreError> {
    if ended.is_empty() {
        return Ok(());
    }
    let run_ids: Vec<i64> = ended.iter().map(|run| run.run_id.0).collect();
    let statuses: Vec<&str> = ended.iter().map(|run| run.status.as_str()).collect();
    let end_times: Vec<Option<Timestamp>> = ended.iter().map(|run| run.end_time).collect();
    let updated = transaction
        .execute_typed(
            "UPDATE test_executions AS run SET status = ended.status, end_time = ended.end_time
               FROM unnest($1, $2, $3) AS ended (run_id, status, end_time)
              WHERE run.run_id = ended.run_id AND run.status = 'running'",
            &[(&run_ids, Type::INT8_ARRAY), (&statuses, Type::TEXT_ARRAY), (&end_times, Type::TIMESTAMPTZ_ARRAY)],
        )
        .await
        .map_err(classify)?;
    if updated == ended.len() as u64 {
        return Ok(());
    }
    // Only something that does not take the location's lock can have ended one of them.
    Err(StoreError::Conflict(format!(
        "{} of {} executions had already ended",
        ended.len() as u64 - updated,
        ended.len()
    )))
}

pub async fn insert_terms(transaction: &Transaction<'_>, terms: &[Term]) -> Result<(), StoreError> {
    if terms.is_empty() {
        return Ok(());
    }
    let column = |read: fn(&Term) -> &str| terms.iter().map(read).collect::<Vec<_>>();
    transaction
        .execute_typed(
            "INSERT INTO perfreg_terms (field, term, folded)
             SELECT field, term, folded FROM unnest($1, $2, $3) WITH ORDINALITY AS new (field, term, folded, position)
              ORDER BY position
             ON CONFLICT DO NOTHING",
            &[
                (&column(|term| term.field), Type::TEXT_ARRAY),
                (&column(|term| &term.text), Type::TEXT_ARRAY),
                (&column(|term| &term.folded), Type::TEXT_ARRAY),
            ],
        )
        .await
        .map_err(classify)?;
    Ok(())
}

async fn save_location(transaction: &Transaction<'_>, location: &Location) -> Result<(), StoreError> {
    transaction
        .execute_typed(
            "UPDATE perfreg_locations
                SET capacity_millionths = $2, used_millionths = $3, running = $4, fence = $5
              WHERE name = $1",
            &[
                (&location.name.as_ref().map_or(NOWHERE, |name| name.as_str()), Type::TEXT),
                (&location.capacity.millionths(), Type::INT8),
                (&location.used.millionths(), Type::INT8),
                (&location.running, Type::INT8),
                (&location.fence, Type::INT8),
            ],
        )
        .await
        .map_err(classify)?;
    Ok(())
}
