//! Reads of executions.

use jiff::{SignedDuration, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use uuid::Uuid;

use super::connection::classify;
use super::rows;
use super::search::{Condition, Newest, Search, Span};
use crate::domain::adopted::AdoptedAt;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::{Execution, Outcome, RunId, Status};
use crate::domain::history::{Cursor, Filter, Page};
use crate::domain::schedule::estimate::{Alike, SUCCESSES_COUNTED};
use crate::store::StoreError;

pub fn one(connection: &Connection, run_id: RunId) -> Result<Option<Execution>, StoreError> {
    let sql = format!("SELECT {} FROM test_executions WHERE run_id = ?1", rows::EXECUTION_COLUMNS);
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_row([run_id.0], rows::execution).optional())
        .map_err(classify)
}

pub fn page(connection: &Connection, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
    let search = Search::new(filter, after, limit + 1);
    let executions =
        connection.unchecked_transaction().and_then(|transaction| search.find(&transaction)).map_err(classify)?;
    Ok(Page::cut(executions, limit))
}

pub fn running_before(
    connection: &Connection,
    location: Option<&LocationName>,
    before: Timestamp,
    after: Option<RunId>,
    limit: usize,
) -> Result<Vec<Execution>, StoreError> {
    let sql = format!(
        "SELECT {} FROM test_executions
          WHERE status = 'running' AND location IS ?1 AND start_time < ?2 AND run_id > ?3 ORDER BY run_id LIMIT {limit}",
        rows::EXECUTION_COLUMNS
    );
    let after = after.map_or(i64::MIN, |run_id| run_id.0);
    let parameters = params![location.map(LocationName::as_str), rows::timestamp_text(before), after];
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_map(parameters, rows::execution)?.collect())
        .map_err(classify)
}

pub fn adopted(connection: &Connection) -> Result<Vec<AdoptedAt>, StoreError> {
    let sql = "SELECT location, count(*), min(start_time), max(start_time) FROM test_executions
                WHERE status = 'running' AND fence IS NULL GROUP BY location ORDER BY location";
    connection
        .prepare_cached(sql)
        .and_then(|mut select| select.query_map([], rows::adopted_at)?.collect())
        .map_err(classify)
}

/// Which of the executions have reached another version than the one named.
pub fn changed(connection: &Connection, versions: &[(RunId, i64)]) -> Result<Vec<RunId>, StoreError> {
    let mut changed = Vec::new();
    let mut select = connection
        .prepare_cached("SELECT run_id FROM test_executions WHERE run_id = ?1 AND version <> ?2")
        .map_err(classify)?;
    for (run_id, version) in versions {
        changed
            .extend(select.query_row([run_id.0, *version], |row| row.get(0).map(RunId)).optional().map_err(classify)?);
    }
    Ok(changed)
}

pub fn durations(connection: &Connection, alike: &Alike) -> Result<Vec<SignedDuration>, StoreError> {
    let Alike { repo, test, kind, environment } = alike;
    let text = "repo = ? AND test = ? AND type = ? AND environment = ?".to_owned();
    let parameters = [repo, test, kind, environment].map(|text| Value::from(text.clone())).into();
    last_successes(connection, &Condition { text, parameters }).map_err(classify)
}

fn last_successes(connection: &Connection, condition: &Condition) -> rusqlite::Result<Vec<SignedDuration>> {
    let transaction = connection.unchecked_transaction()?;
    let sql = format!("SELECT id FROM perfreg_profiles WHERE {}", condition.text);
    let profiles: Vec<Uuid> = transaction
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&condition.parameters), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let (success, span) = (Some(Status::Ended(Outcome::Success)), Span::of(&Filter::default(), None));
    let mut newest = Newest::new(SUCCESSES_COUNTED);
    newest.add_of_profiles(&transaction, &profiles, success, &span)?;
    newest.add_without_profile(&transaction, success, &span, condition)?;
    let durations = newest.read(&transaction, "start_time, end_time", rows::duration)?;
    Ok(durations.into_iter().flatten().collect())
}
