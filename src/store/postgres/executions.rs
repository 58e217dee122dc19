//! Reads of executions.

use deadpool_postgres::Object;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::{ToSql, Type};

use super::conditions::Conditions;
use super::error::classify;
use super::rows;
use crate::domain::estimate::{Alike, SUCCESSES_COUNTED};
use crate::domain::execution::{Execution, RunId};
use crate::domain::history::{Cursor, Filter, Page};
use crate::store::StoreError;

pub async fn one(client: &Object, run_id: RunId) -> Result<Option<Execution>, StoreError> {
    let sql = format!("SELECT {} FROM test_executions WHERE run_id = $1", rows::EXECUTION_COLUMNS);
    let found = client.query_typed_opt(&sql, &[(&run_id.0, Type::INT8)]).await.map_err(classify)?;
    found.as_ref().map(rows::execution).transpose()
}

pub async fn page(client: &Object, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
    let mut conditions = conditions(filter, after);
    let most = conditions.parameter(limit as i64 + 1, Type::INT8);
    let sql = format!(
        "SELECT {} FROM test_executions WHERE {} ORDER BY start_time DESC, run_id DESC LIMIT {most}",
        rows::EXECUTION_COLUMNS,
        conditions.text()
    );
    let found = client.query_typed(&sql, &conditions.parameters()).await.map_err(classify)?;
    let executions = found.iter().map(rows::execution).collect::<Result<_, _>>()?;
    Ok(Page::cut(executions, limit))
}

/// Which of the executions have reached another version than the one named.
pub async fn changed(client: &Object, versions: &[(RunId, i64)]) -> Result<Vec<RunId>, StoreError> {
    let (run_ids, versions): (Vec<i64>, Vec<i64>) =
        versions.iter().map(|(run_id, version)| (run_id.0, *version)).unzip();
    let sql = "SELECT run.run_id::bigint FROM unnest($1, $2) AS seen (run_id, version)
                 JOIN test_executions AS run ON run.run_id = seen.run_id AND run.version <> seen.version";
    let found = client
        .query_typed(sql, &[(&run_ids, Type::INT8_ARRAY), (&versions, Type::INT8_ARRAY)])
        .await
        .map_err(classify)?;
    found.iter().map(|row| rows::get(row, 0).map(RunId)).collect()
}

pub async fn durations(client: &Object, alike: &Alike) -> Result<Vec<SignedDuration>, StoreError> {
    let (condition, texts) = match alike {
        Alike::Test { repo, test, kind, environment } => (
            "repo = $2 AND test = $3 AND type = $4 AND environment = $5",
            vec![repo.as_str(), test.as_str(), kind.as_str(), environment.as_str()],
        ),
        Alike::Location(name) => ("location = $2", vec![name.as_str()]),
    };
    let sql = format!(
        "SELECT start_time, end_time FROM test_executions
          WHERE status = 'success' AND end_time IS NOT NULL AND {condition} ORDER BY end_time DESC LIMIT $1"
    );
    let limit = SUCCESSES_COUNTED as i64;
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&limit, Type::INT8)];
    parameters.extend(texts.iter().map(|text| (text as &(dyn ToSql + Sync), Type::TEXT)));
    let found = client.query_typed(&sql, &parameters).await.map_err(classify)?;
    let duration = |row| {
        let (start, end): (Timestamp, Timestamp) = (rows::get(row, 0)?, rows::get(row, 1)?);
        Ok(end.duration_since(start))
    };
    found.iter().map(duration).collect()
}

fn conditions(filter: &Filter, after: Option<Cursor>) -> Conditions {
    let mut all = Conditions::default();
    for (field, pattern) in &filter.patterns {
        if pattern.finds_everything() {
            all.add(format!("{} IS NOT NULL", field.as_str()));
            continue;
        }
        let (field, like) = (field.as_str(), all.parameter(pattern.to_like(), Type::TEXT));
        all.add(format!(
            "{field} IN (SELECT term FROM perfreg_terms WHERE field = '{field}' AND folded LIKE {like} ESCAPE '\\')"
        ));
    }
    if let Some(status) = filter.status {
        // Spelled out, so that the planner sees that the index of the running ones will do.
        all.add(format!("status = '{status}'"));
    }
    if let Some(from) = filter.from {
        let from = all.parameter(from, Type::TIMESTAMPTZ);
        all.add(format!("start_time >= {from}"));
    }
    if let Some(to) = filter.to {
        let to = all.parameter(to, Type::TIMESTAMPTZ);
        all.add(format!("start_time < {to}"));
    }
    if let Some(after) = after {
        let start_time = all.parameter(after.start_time, Type::TIMESTAMPTZ);
        let run_id = all.parameter(after.run_id.0, Type::INT8);
        all.add(format!("(start_time, run_id) < ({start_time}, {run_id})"));
    }
    all
}
