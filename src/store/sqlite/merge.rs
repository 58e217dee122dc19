//! Makes one location of two.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::admission::{insert_profiles, row, save_location};
use super::connection::{classify, classify_commit};
use super::events;
use super::rows;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::Execution;
use crate::store::merging::{self, both};
use crate::store::{Known, Merge, Merged, StoreError};

pub fn merge(
    connection: &mut Connection,
    merge: &Merge,
    known: &Known,
    now: Timestamp,
) -> Result<Option<Merged>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    let merged = save(&transaction, merge, known, now).map_err(classify)?;
    if merged.is_some() {
        transaction.commit().map_err(classify_commit)?;
    }
    Ok(merged)
}

fn save(
    transaction: &Transaction<'_>,
    merge: &Merge,
    known: &Known,
    now: Timestamp,
) -> rusqlite::Result<Option<Merged>> {
    let mut locations = Vec::new();
    for name in [&merge.from, &merge.into] {
        locations.extend(row(transaction, name.as_str())?);
    }
    let Some((from, into)) = both(merge, &locations) else { return Ok(None) };
    let (deleted, merged) = from.merged(into);
    let runs: Vec<Execution> =
        unended_at(transaction, &merge.from)?.iter().map(|run| run.moved_to(&merge.into)).collect();
    write_moved(transaction, &runs, known)?;
    save_location(transaction, &deleted)?;
    save_location(transaction, &merged)?;
    for (event, place) in merging::events(merge, from, &merged, &runs) {
        events::insert(transaction, &[event], Some(place), now)?;
    }
    Ok(Some(Merged { location: merged, moved: runs.iter().map(|run| run.run_id).collect() }))
}

/// Everything that waits or runs at a location.
fn unended_at(transaction: &Transaction<'_>, name: &LocationName) -> rusqlite::Result<Vec<Execution>> {
    let mut found = Vec::new();
    for status in ["queued", "running"] {
        let sql = format!(
            "SELECT {} FROM test_executions WHERE status = '{status}' AND location = ?1",
            rows::EXECUTION_COLUMNS
        );
        for execution in transaction.prepare_cached(&sql)?.query_map([name.as_str()], rows::execution)? {
            found.push(execution?);
        }
    }
    Ok(found)
}

fn write_moved(transaction: &Transaction<'_>, runs: &[Execution], known: &Known) -> rusqlite::Result<()> {
    let profiles = known.profiles.of(&runs.iter().collect::<Vec<_>>());
    let mut update = transaction
        .prepare_cached("UPDATE test_executions SET location = ?2, profile = ?3, version = ?4 WHERE run_id = ?1")?;
    for (run, profile) in runs.iter().zip(&profiles.ids) {
        let location = run.details.location.as_ref().map(LocationName::as_str);
        update.execute(params![run.run_id.0, location, profile, run.version])?;
    }
    insert_profiles(transaction, &profiles.unknown)
}
