//! Reads of executions.

use jiff::SignedDuration;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::connection::classify;
use super::rows::{self, timestamp_text};
use crate::domain::estimate::{Alike, SUCCESSES_COUNTED};
use crate::domain::execution::{Execution, RunId};
use crate::domain::history::{Cursor, Filter, Page};
use crate::store::StoreError;

pub fn one(connection: &Connection, run_id: RunId) -> Result<Option<Execution>, StoreError> {
    let sql = format!("SELECT {} FROM test_executions WHERE run_id = ?1", rows::EXECUTION_COLUMNS);
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_row([run_id.0], rows::execution).optional())
        .map_err(classify)
}

pub fn page(connection: &Connection, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
    let (conditions, mut parameters) = conditions(filter, after);
    parameters.push(Value::from(limit as i64 + 1));
    let sql = format!(
        "SELECT {} FROM test_executions WHERE {conditions} ORDER BY start_time DESC, run_id DESC LIMIT ?",
        rows::EXECUTION_COLUMNS
    );
    let executions = connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_map(params_from_iter(parameters), rows::execution)?.collect())
        .map_err(classify)?;
    Ok(Page::cut(executions, limit))
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
    let (condition, texts) = match alike {
        Alike::Test { repo, test, kind, environment } => (
            "repo = ?1 AND test = ?2 AND type = ?3 AND environment = ?4",
            vec![repo.as_str(), test.as_str(), kind.as_str(), environment.as_str()],
        ),
        Alike::Location(name) => ("location = ?1", vec![name.as_str()]),
    };
    let sql = format!(
        "SELECT start_time, end_time FROM test_executions
          WHERE status = 'success' AND end_time IS NOT NULL AND {condition}
          ORDER BY end_time DESC LIMIT {SUCCESSES_COUNTED}"
    );
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_map(params_from_iter(texts), rows::duration)?.collect())
        .map_err(classify)
}

fn conditions(filter: &Filter, after: Option<Cursor>) -> (String, Vec<Value>) {
    let mut conditions = vec!["true".to_owned()];
    let mut parameters = Vec::new();
    for (field, pattern) in &filter.patterns {
        let field = field.as_str();
        if pattern.finds_everything() {
            conditions.push(format!("{field} IS NOT NULL"));
            continue;
        }
        conditions.push(format!(
            "{field} IN (SELECT term FROM perfreg_terms WHERE field = '{field}' AND folded LIKE ? ESCAPE '\\')"
        ));
        parameters.push(Value::from(pattern.to_like()));
    }
    if let Some(status) = filter.status {
        // Spelled out, so that the planner sees that the index of the running ones will do.
        conditions.push(format!("status = '{status}'"));
    }
    if let Some(from) = filter.from {
        conditions.push("start_time >= ?".to_owned());
        parameters.push(Value::from(timestamp_text(from)));
    }
    if let Some(to) = filter.to {
        conditions.push("start_time < ?".to_owned());
        parameters.push(Value::from(timestamp_text(to)));
    }
    if let Some(after) = after {
        conditions.push("(start_time, run_id) < (?, ?)".to_owned());
        parameters.extend([Value::from(timestamp_text(after.start_time)), Value::from(after.run_id.0)]);
    }
    (conditions.join(" AND "), parameters)
}
