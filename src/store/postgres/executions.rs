//! Reads of executions.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::{ToSql, Type};

use super::error::classify;
use super::link::session::Session;
use super::rows;
use super::search::{Search, found_by_profiles};
use crate::domain::adopted::AdoptedAt;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::{Execution, Outcome, RunId, Status};
use crate::domain::history::{Cursor, Filter, Page};
use crate::domain::schedule::estimate::{Alike, SUCCESSES_COUNTED};
use crate::store::StoreError;
use crate::store::search::LONGEST_TERM_CHARACTERS;

pub async fn one(client: &Session, run_id: RunId) -> Result<Option<Execution>, StoreError> {
    let sql = format!("SELECT {} FROM test_executions WHERE run_id = $1", rows::EXECUTION_COLUMNS);
    let found = client.query_typed_opt(&sql, &[(&run_id.0, Type::INT8)]).await.map_err(classify)?;
    found.as_ref().map(rows::execution).transpose()
}

pub async fn page(client: &Session, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
    Ok(Page::cut(Search::new(filter, after, limit + 1).find(client).await?, limit))
}

pub async fn running_before(
    client: &Session,
    location: Option<&LocationName>,
    before: Timestamp,
    after: Option<RunId>,
    limit: usize,
) -> Result<Vec<Execution>, StoreError> {
    let name = location.map(LocationName::as_str);
    // An index has those that run by their location.
    let is_here = if name.is_some() { "location = $1" } else { "location IS NULL AND $1 IS NULL" };
    let sql = format!(
        "SELECT {} FROM test_executions
          WHERE status = 'running' AND {is_here} AND start_time < $2 AND run_id > $3 ORDER BY run_id LIMIT {limit}",
        rows::EXECUTION_COLUMNS
    );
    let after = after.map_or(i64::MIN, |run_id| run_id.0);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&name, Type::TEXT), (&before, Type::TIMESTAMPTZ), (&after, Type::INT8)];
    let found = client.query_typed(&sql, &parameters).await.map_err(classify)?;
    found.iter().map(rows::execution).collect()
}

pub async fn adopted(client: &Session) -> Result<Vec<AdoptedAt>, StoreError> {
    // COLLATE "C" sorts as SQLite does, whatever the database's locale.
    let sql = "SELECT location, count(*), min(start_time), max(start_time) FROM test_executions
                WHERE status = 'running' AND fence IS NULL GROUP BY location ORDER BY location COLLATE \"C\" NULLS FIRST";
    let found = client.query_typed(sql, &[]).await.map_err(classify)?;
    let adopted_at = |row| {
        Ok(AdoptedAt {
            location: rows::get::<Option<&str>>(row, 0)?.map(LocationName::new),
            running: rows::get(row, 1)?,
            oldest: rows::get(row, 2)?,
            newest: rows::get(row, 3)?,
        })
    };
    found.iter().map(adopted_at).collect()
}

/// Which of the executions have reached another version than the one named.
pub async fn changed(client: &Session, versions: &[(RunId, i64)]) -> Result<Vec<RunId>, StoreError> {
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

pub async fn durations(client: &Session, alike: &Alike) -> Result<Vec<SignedDuration>, StoreError> {
    let columns =
        [("repo", &alike.repo), ("test", &alike.test), ("type", &alike.kind), ("environment", &alike.environment)];
    // The length is named for the sake of the index; no new text is longer.
    let equal = |(number, (column, _)): (usize, &(&str, &String))| {
        format!("{column} = ${} AND length({column}) <= {LONGEST_TERM_CHARACTERS}", number + 1)
    };
    let condition = columns.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ");
    let profiles = format!("SELECT id FROM perfreg_profiles WHERE {condition}");
    let success = Some(Status::Ended(Outcome::Success));
    let sql = format!(
        "{} SELECT start_time, end_time FROM test_executions AS run
             WHERE run_id IN (SELECT run_id FROM found) AND end_time IS NOT NULL ORDER BY start_time DESC, run_id DESC",
        found_by_profiles(&profiles, success, "true", &condition, SUCCESSES_COUNTED)
    );
    let parameters: Vec<_> = columns.iter().map(|(_, text)| (text as &(dyn ToSql + Sync), Type::TEXT)).collect();
    let found = client.query_typed(&sql, &parameters).await.map_err(classify)?;
    let duration = |row| {
        let (start, end): (Timestamp, Timestamp) = (rows::get(row, 0)?, rows::get(row, 1)?);
        Ok(end.duration_since(start))
    };
    found.iter().map(duration).collect()
}
