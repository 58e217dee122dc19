//! What the rule has to see of the executions at locked locations.

use std::collections::HashMap;

use tokio::try_join;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::error::classify;
use super::link::session::Session;
use super::rows;
use crate::domain::answer::Holder;
use crate::domain::capacity::location::{Location, LocationName, row_name};
use crate::domain::execution::{Execution, RunId};
use crate::store::StoreError;

/// Everybody who waits or runs with a lease at these locations.
pub async fn present(
    client: &Session,
    locations: &[&Location],
) -> Result<HashMap<Option<LocationName>, Vec<Execution>>, StoreError> {
    let (queued, leased) = try_join!(
        at(client, "status = 'queued'", names(locations, |location| location.waiting)),
        at(client, "status = 'running' AND lease_seconds IS NOT NULL", names(locations, |location| location.leased)),
    )?;
    let mut present: HashMap<Option<LocationName>, Vec<Execution>> = HashMap::new();
    for run in queued.into_iter().chain(leased) {
        present.entry(run.details.location.clone()).or_default().push(run);
    }
    Ok(present)
}

/// The names of the rows at which there is somebody to count.
fn names<'location>(locations: &[&'location Location], count: fn(&Location) -> i64) -> Vec<&'location str> {
    let counted = locations.iter().filter(|location| count(location) > 0);
    counted.map(|location| row_name(location.name.as_ref())).collect()
}

async fn at(client: &Session, condition: &str, names: Vec<&str>) -> Result<Vec<Execution>, StoreError> {
    let nowhere = row_name(None);
    let mut found = Vec::new();
    if names.iter().any(|name| *name != nowhere) {
        found = select(client, &format!("{condition} AND location = ANY($1)"), &[(&names, Type::TEXT_ARRAY)]).await?;
    }
    if names.contains(&nowhere) {
        found.extend(select(client, &format!("{condition} AND location IS NULL"), &[]).await?);
    }
    Ok(found)
}

pub async fn by_run_id(client: &Session, run_ids: &[i64]) -> Result<HashMap<RunId, Execution>, StoreError> {
    if run_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = select(client, "run_id = ANY($1)", &[(&run_ids, Type::INT8_ARRAY)]).await?;
    Ok(found.into_iter().map(|run| (run.run_id, run)).collect())
}

/// Those that registrations with these ids have saved.
pub async fn by_id(client: &Session, ids: &[Uuid]) -> Result<HashMap<Uuid, Execution>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = select(client, "id = ANY($1)", &[(&ids, Type::UUID_ARRAY)]).await?;
    Ok(found.into_iter().map(|run| (run.id, run)).collect())
}

/// Everything that waits or runs at a location.
pub async fn unended_at(client: &Session, location: &LocationName) -> Result<Vec<Execution>, StoreError> {
    let mut found = Vec::new();
    for condition in ["status = 'queued' AND location = $1", "status = 'running' AND location = $1"] {
        found.extend(select(client, condition, &[(&location.as_str(), Type::TEXT)]).await?);
    }
    Ok(found)
}

async fn select(
    client: &Session,
    condition: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Execution>, StoreError> {
    let sql = format!("SELECT {} FROM test_executions WHERE {condition}", rows::EXECUTION_COLUMNS);
    let found = client.query(&sql, parameters).await.map_err(classify)?;
    found.iter().map(rows::execution).collect()
}

/// The first of those who run there, at most so many.
pub async fn holders(client: &Session, location: &Location, most: usize) -> Result<Vec<Holder>, StoreError> {
    let sql = format!(
        "SELECT {} FROM test_executions WHERE status = 'running' AND location = $1
          ORDER BY coalesce(factor_millionths, 0) DESC, start_time, run_id LIMIT $2",
        rows::HOLDER_COLUMNS
    );
    let (name, most) = (row_name(location.name.as_ref()), most as i64);
    let found = client.query(&sql, &[(&name, Type::TEXT), (&most, Type::INT8)]).await.map_err(classify)?;
    found.iter().map(rows::holder).collect()
}
