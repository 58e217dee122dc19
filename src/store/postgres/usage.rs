//! How much is in use everywhere.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::error::classify;
use super::link::session::Session;
use super::locations::IS_THERE;
use super::rows;
use crate::domain::execution::Execution;
use crate::domain::usage::Usage;
use crate::store::StoreError;

/// One statement, so that all is of one moment. What has not ended has small indexes of its own. A real time is the
/// database's; the registry's row is there for a location that is not, and so there is a row in any case.
fn sql() -> String {
    format!(
        "SELECT coalesce($1, clock_timestamp()), registry.state, registry.state_reason, registry.state_by,
                registry.state_until, coalesce(counted.suspect, 0), coalesce(counted.overdue, 0), counted.waiting_since,
                place.*
           FROM perfreg_registry AS registry
           LEFT JOIN (SELECT {} FROM perfreg_locations WHERE {IS_THERE}) AS place ON true
           LEFT JOIN (
                SELECT coalesce(location, '') AS at,
                       count(*) FILTER (WHERE status = 'running' AND suspect) AS suspect,
                       count(*) FILTER (WHERE status = 'running' AND extract(epoch FROM
                           coalesce($1, clock_timestamp()) - start_time) > expected_seconds * $2) AS overdue,
                       min(queued_at) FILTER (WHERE status = 'queued') AS waiting_since
                  FROM (SELECT location, status, suspect, start_time, expected_seconds, queued_at
                          FROM test_executions WHERE status = 'running'
                        UNION ALL SELECT location, status, suspect, start_time, expected_seconds, queued_at
                          FROM test_executions WHERE status = 'queued') AS executions
                 GROUP BY location
           ) AS counted ON counted.at = place.name
          WHERE registry.id = 1
          ORDER BY place.name COLLATE \"C\"",
        rows::LOCATION_COLUMNS
    )
}

pub async fn read(client: &Session, now: Option<Timestamp>) -> Result<Usage, StoreError> {
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&now, Type::TIMESTAMPTZ), (&Execution::OVERDUE_AFTER, Type::INT8)];
    let found = client.query_typed(&sql(), &parameters).await.map_err(classify)?;
    let read = found.iter().map(rows::usage).collect::<Result<Vec<_>, _>>()?;
    let first = read.first().map(|(at, registry, _)| (*at, registry.clone()));
    let (at, registry) = first.ok_or_else(|| StoreError::Broken("the registry has no row".to_owned()))?;
    Ok(Usage { at, registry, locations: read.into_iter().filter_map(|(_, _, usage)| usage).collect() })
}
