//! Saves what the rule decided, one statement for each kind of row.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::conditions::{Parameter, borrowed};
use super::error::classify;
use super::rows::get;
use crate::domain::execution::{EndReason, Execution, Place, RunId, Stop};
use crate::domain::factor::Factor;
use crate::domain::location::{Location, LocationName, row_name};
use crate::store::StoreError;
use crate::store::known_terms::Term;

/// One value of each execution, as an array that the statement unnests.
fn column<'run, T: ToSql + Sync + Send + 'run>(
    runs: &'run [Execution],
    kind: Type,
    read: impl Fn(&'run Execution) -> T,
) -> Parameter<'run> {
    (Box::new(runs.iter().map(read).collect::<Vec<T>>()), kind)
}

/// What changes while an execution lives, in the order in which both statements name it.
fn changing_columns(runs: &[Execution]) -> Vec<Parameter<'_>> {
    let place = |run: &Execution, read: fn(&Place) -> Timestamp| run.place.as_ref().map(read);
    let expires_at = |run: &Execution| run.lease.as_ref().and_then(|lease| lease.expires_at);
    let suspect = |run: &Execution| run.lease.as_ref().is_some_and(|lease| lease.suspect);
    let stop_by = |stop: &Stop| stop.by.clone();
    vec![
        column(runs, Type::TEXT_ARRAY, |run| run.status.as_str()),
        column(runs, Type::TIMESTAMPTZ_ARRAY, |run| run.start_time),
        column(runs, Type::TIMESTAMPTZ_ARRAY, |run| run.end_time),
        column(runs, Type::TIMESTAMPTZ_ARRAY, move |run| place(run, |place| place.heard_at)),
        column(runs, Type::TIMESTAMPTZ_ARRAY, expires_at),
        column(runs, Type::BOOL_ARRAY, suspect),
        column(runs, Type::INT8_ARRAY, |run| run.fence),
        column(runs, Type::TEXT_ARRAY, |run| run.stop.as_ref().map(|stop| stop.reason.as_str())),
        column(runs, Type::TEXT_ARRAY, move |run| run.stop.as_ref().and_then(stop_by)),
        column(runs, Type::TIMESTAMPTZ_ARRAY, |run| run.stop.as_ref().map(|stop| stop.at)),
        column(runs, Type::TEXT_ARRAY, |run| run.end_reason.map(EndReason::as_str)),
        column(runs, Type::INT8_ARRAY, |run| run.version),
    ]
}

/// PostgreSQL has no unsigned numbers.
fn whole_seconds(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// The numbers are drawn in the order of the commands.
pub async fn insert_executions(
    transaction: &Transaction<'_>,
    inserted: &[Execution],
) -> Result<Vec<RunId>, StoreError> {
    if inserted.is_empty() {
        return Ok(Vec::new());
    }
    let mut columns = changing_columns(inserted);
    columns.extend([
        column(inserted, Type::UUID_ARRAY, |run| run.id),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.repo.as_str()),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.lac.as_str()),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.stream.as_str()),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.test.as_str()),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.kind.as_str()),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.environment.as_str()),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.triggered_by.as_str()),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.dashboard_url.as_deref()),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.location.as_ref().map(LocationName::as_str)),
        column(inserted, Type::TEXT_ARRAY, |run| run.details.extra.as_str()),
        column(inserted, Type::INT8_ARRAY, |run| run.details.factor.map(Factor::millionths)),
        column(inserted, Type::INT2_ARRAY, |run| i16::from(run.priority.get())),
        column(inserted, Type::TIMESTAMPTZ_ARRAY, |run| run.place.as_ref().map(|place| place.queued_at)),
        column(inserted, Type::TIMESTAMPTZ_ARRAY, |run| run.place.as_ref().map(|place| place.until)),
        column(inserted, Type::INT4_ARRAY, |run| run.lease.as_ref().map(|lease| whole_seconds(lease.seconds))),
        column(inserted, Type::TEXT_ARRAY, |run| run.lease.as_ref().map(|lease| lease.token.0.as_str())),
        column(inserted, Type::INT4_ARRAY, |run| run.expected_seconds.map(whole_seconds)),
    ]);
    let rows = transaction
        .query_typed(
            "INSERT INTO test_executions
                    (run_id, status, start_time, end_time, heard_at, lease_expires_at, suspect, fence, stop_reason, stop_by,
                     stop_at, end_reason, version, id, repo, lac, stream, test, type, environment, triggered_by,
                     dashboard_url, location, extra, factor, factor_millionths, priority, queued_at, wait_until,
                     lease_seconds, lease_token_hash, expected_seconds)
             SELECT nextval('perfreg_run_id'), status, start_time, end_time, heard_at, lease_expires_at, suspect, fence,
                    stop_reason, stop_by, stop_at, end_reason, version, id, repo, lac, stream, test, type, environment,
                    triggered_by, dashboard_url, location, extra::json, trim_scale(factor * 0.000001), factor, priority,
                    queued_at, wait_until, lease_seconds, lease_token_hash, expected_seconds
               FROM (SELECT *
                       FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                                   $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30) WITH ORDINALITY
                            AS new (status, start_time, end_time, heard_at, lease_expires_at, suspect, fence, stop_reason,
                                    stop_by, stop_at, end_reason, version, id, repo, lac, stream, test, type, environment,
                                    triggered_by, dashboard_url, location, extra, factor, priority, queued_at, wait_until,
                                    lease_seconds, lease_token_hash, expected_seconds, position)
                      ORDER BY position) AS new
             RETURNING run_id::bigint, id",
            &borrowed(&columns),
        )
        .await
        .map_err(classify)?;
    let mut numbered: HashMap<Uuid, RunId> = HashMap::with_capacity(rows.len());
    for row in &rows {
        numbered.insert(get(row, 1)?, RunId(get(row, 0)?));
    }
    let missing = || StoreError::Broken("an inserted execution came back without a run_id".to_owned());
    inserted.iter().map(|run| numbered.get(&run.id).copied().ok_or_else(missing)).collect()
}

pub async fn update_executions(transaction: &Transaction<'_>, updated: &[Execution]) -> Result<(), StoreError> {
    if updated.is_empty() {
        return Ok(());
    }
    let mut columns = changing_columns(updated);
    columns.push(column(updated, Type::INT8_ARRAY, |run| run.run_id.0));
    let count = transaction
        .execute_typed(
            "UPDATE test_executions AS run
                SET status = new.status, start_time = new.start_time, end_time = new.end_time, heard_at = new.heard_at,
                    lease_expires_at = new.lease_expires_at, suspect = new.suspect, fence = new.fence,
                    stop_reason = new.stop_reason, stop_by = new.stop_by, stop_at = new.stop_at,
                    end_reason = new.end_reason, version = new.version
               FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                    AS new (status, start_time, end_time, heard_at, lease_expires_at, suspect, fence, stop_reason,
                            stop_by, stop_at, end_reason, version, run_id)
              WHERE run.run_id = new.run_id AND run.status IN ('queued', 'running')",
            &borrowed(&columns),
        )
        .await
        .map_err(classify)?;
    if count == updated.len() as u64 {
        return Ok(());
    }
    // Only something that does not take the location's lock can have ended one of them.
    Err(StoreError::Conflict(format!(
        "{} of {} executions had already ended",
        updated.len() as u64 - count,
        updated.len()
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

pub async fn save_location(transaction: &Transaction<'_>, location: &Location) -> Result<(), StoreError> {
    let gate = &location.gate;
    transaction
        .execute_typed(
            "UPDATE perfreg_locations
                SET capacity_millionths = $2, used_millionths = $3, running = $4, fence = $5, waiting = $6, leased = $7,
                    state = $8, state_reason = $9, state_by = $10, state_until = $11, next_due = $12,
                    version = $13
              WHERE name = $1",
            &[
                (&row_name(location.name.as_ref()), Type::TEXT),
                (&location.capacity.millionths(), Type::INT8),
                (&location.used.millionths(), Type::INT8),
                (&location.running, Type::INT8),
                (&location.fence, Type::INT8),
                (&location.waiting, Type::INT8),
                (&location.leased, Type::INT8),
                (&gate.state.as_str(), Type::TEXT),
                (&gate.reason, Type::TEXT),
                (&gate.by, Type::TEXT),
                (&gate.until, Type::TIMESTAMPTZ),
                (&location.next_due, Type::TIMESTAMPTZ),
                (&location.version, Type::INT8),
            ],
        )
        .await
        .map_err(classify)?;
    Ok(())
}

/// Forgets a location that was only asked for.
pub async fn remove_location(transaction: &Transaction<'_>, name: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM perfreg_locations WHERE name = $1";
    transaction.execute_typed(sql, &[(&name, Type::TEXT)]).await.map_err(classify)?;
    Ok(())
}
