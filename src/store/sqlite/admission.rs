//! Locks the location, asks the rule, saves its plan, commits.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::connection::{classify, classify_commit};
use super::rows::{self, timestamp_text};
use crate::clock::Clock;
use crate::domain::admission::{Command, MOST_HOLDERS_NAMED, Plan, Snapshot, decide as ask_rule};
use crate::domain::answer::{Answer, Holder};
use crate::domain::execution::{Execution, Registration, RunId, Status};
use crate::domain::factor::Factor;
use crate::domain::location::{Location, LocationName, NOWHERE};
use crate::store::known_terms::{KnownTerms, Term};
use crate::store::{Batch, StoreError};

pub fn decide(
    connection: &mut Connection,
    batch: &Batch,
    clock: &Clock,
    known_terms: &KnownTerms,
) -> Result<Vec<Answer>, StoreError> {
    // IMMEDIATE takes the write lock of the whole file before anything is read.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    let (plan, run_ids) = decide_and_save(&transaction, batch, clock, known_terms).map_err(classify)?;
    if plan.changes_anything() {
        transaction.commit().map_err(classify_commit)?;
        known_terms.remember(&plan.starting);
    }
    Ok(plan.answers(&run_ids))
}

fn decide_and_save(
    transaction: &Transaction<'_>,
    batch: &Batch,
    clock: &Clock,
    known_terms: &KnownTerms,
) -> rusqlite::Result<(Plan, Vec<RunId>)> {
    let now = clock.now();
    let mut snapshot =
        Snapshot { location: location(transaction, batch)?, holders: Vec::new(), named: named(transaction, batch)? };
    let mut plan = ask_rule(&snapshot, &batch.commands, now);
    if plan.refuses_any() {
        // Only a refusal has to say who holds the location; asking again changes nothing else.
        snapshot.holders = holders(transaction, batch)?;
        plan = ask_rule(&snapshot, &batch.commands, now);
    }
    let run_ids = insert_starting(transaction, &plan)?;
    update_ended(transaction, &plan.ended)?;
    insert_terms(transaction, &known_terms.unknown(&plan.starting))?;
    if plan.changes_anything() {
        save_location(transaction, &plan.location)?;
    }
    Ok((plan, run_ids))
}

fn name(batch: &Batch) -> &str {
    batch.location.as_ref().map_or(NOWHERE, |name| name.as_str())
}

fn location(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<Location> {
    let sql = format!("SELECT {} FROM perfreg_locations WHERE name = ?1", rows::LOCATION_COLUMNS);
    let found = transaction.prepare_cached(&sql)?.query_row([name(batch)], rows::location).optional()?;
    Ok(found.unwrap_or_else(|| Location::unused(batch.location.clone())))
}

fn named(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<Vec<Execution>> {
    let by_run_id = format!("SELECT {} FROM test_executions WHERE run_id = ?1", rows::EXECUTION_COLUMNS);
    let by_id = format!("SELECT {} FROM test_executions WHERE id = ?1", rows::EXECUTION_COLUMNS);
    let mut named = Vec::new();
    for command in &batch.commands {
        let (sql, key) = match command {
            Command::End { run_id, .. } => (&by_run_id, Value::from(run_id.0)),
            Command::Register(registration) if batch.is_retry => (&by_id, Value::from(registration.id.to_string())),
            Command::Register(_) | Command::SetCapacity(_) => continue,
        };
        named.extend(transaction.prepare_cached(sql)?.query_row([key], rows::execution).optional()?);
    }
    Ok(named)
}

fn holders(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<Vec<Holder>> {
    let sql = format!(
        "SELECT {} FROM test_executions WHERE status = 'running' AND location = ?1
          ORDER BY coalesce(factor_millionths, 0) DESC, start_time, run_id LIMIT ?2",
        rows::HOLDER_COLUMNS
    );
    let limit = MOST_HOLDERS_NAMED + batch.commands.len();
    transaction.prepare_cached(&sql)?.query_map(params![name(batch), limit as i64], rows::holder)?.collect()
}

fn insert_starting(transaction: &Transaction<'_>, plan: &Plan) -> rusqlite::Result<Vec<RunId>> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO test_executions (id, repo, lac, stream, test, type, environment, triggered_by, status,
                                      start_time, factor_millionths, dashboard_url, location, extra)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) RETURNING run_id",
    )?;
    let start_time = timestamp_text(plan.now);
    let one = |Registration { id, details }: &Registration| {
        insert.query_row(
            params![
                id.to_string(),
                details.repo,
                details.lac,
                details.stream,
                details.test,
                details.kind,
                details.environment,
                details.triggered_by,
                Status::Running.as_str(),
                start_time,
                details.factor.map(Factor::millionths),
                details.dashboard_url,
                details.location.as_ref().map(LocationName::as_str),
                details.extra,
            ],
            |row| row.get(0).map(RunId),
        )
    };
    plan.starting.iter().map(one).collect()
}

fn update_ended(transaction: &Transaction<'_>, ended: &[Execution]) -> rusqlite::Result<()> {
    let mut update =
        transaction.prepare_cached("UPDATE test_executions SET status = ?2, end_time = ?3 WHERE run_id = ?1")?;
    for run in ended {
        update.execute(params![run.run_id.0, run.status.as_str(), run.end_time.map(timestamp_text)])?;
    }
    Ok(())
}

fn insert_terms(transaction: &Transaction<'_>, terms: &[Term]) -> rusqlite::Result<()> {
    let mut insert = transaction
        .prepare_cached("INSERT INTO perfreg_terms (field, term, folded) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    for term in terms {
        insert.execute(params![term.field, term.text, term.folded])?;
    }
    Ok(())
}

fn save_location(transaction: &Transaction<'_>, location: &Location) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name) DO UPDATE SET capacity_millionths = excluded.capacity_millionths,
                 used_millionths = excluded.used_millionths, running = excluded.running, fence = excluded.fence",
        )?
        .execute(params![
            location.name.as_ref().map_or(NOWHERE, |name| name.as_str()),
            location.capacity.millionths(),
            location.used.millionths(),
            location.running,
            location.fence,
        ])
        .map(|_| ())
}
