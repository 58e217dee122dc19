//! How much is in use everywhere.

use jiff::Timestamp;
use rusqlite::{Connection, Result, params};

use super::connection::classify;
use super::locations::IS_THERE;
use super::rows::{self, timestamp_text};
use crate::domain::execution::Execution;
use crate::domain::usage::Usage;
use crate::store::StoreError;

/// One statement, so that all is of one moment. What has not ended has small indexes of its own. The registry's row is
/// there for a location that is not, and so there is a row in any case.
fn sql() -> String {
    format!(
        "SELECT registry.state, registry.state_reason, registry.state_by, registry.state_until,
                coalesce(counted.suspect, 0), coalesce(counted.overdue, 0), counted.waiting_since, place.*
           FROM perfreg_registry AS registry
           LEFT JOIN (SELECT {} FROM perfreg_locations WHERE {IS_THERE}) AS place ON true
           LEFT JOIN (
                SELECT coalesce(location, '') AS at,
                       count(*) FILTER (WHERE status = 'running' AND suspect) AS suspect,
                       count(*) FILTER (WHERE status = 'running' AND round(1000 *
                           (unixepoch(?1, 'subsec') - unixepoch(start_time, 'subsec'))) > 1000 * expected_seconds * ?2
                       ) AS overdue,
                       min(queued_at) FILTER (WHERE status = 'queued') AS waiting_since
                  FROM (SELECT location, status, suspect, start_time, expected_seconds, queued_at
                          FROM test_executions WHERE status = 'running'
                        UNION ALL SELECT location, status, suspect, start_time, expected_seconds, queued_at
                          FROM test_executions WHERE status = 'queued')
                 GROUP BY location
           ) AS counted ON counted.at = place.name
          WHERE registry.id = 1
          ORDER BY place.name",
        rows::LOCATION_COLUMNS
    )
}

pub fn read(connection: &Connection, now: Timestamp) -> std::result::Result<Usage, StoreError> {
    let mut select = connection.prepare_cached(&sql()).map_err(classify)?;
    let parameters = params![timestamp_text(now), Execution::OVERDUE_AFTER];
    let found =
        select.query_map(parameters, rows::usage).and_then(Iterator::collect::<Result<Vec<_>>>).map_err(classify)?;
    let registry = found.first().map(|(gate, _)| gate.clone());
    let registry = registry.ok_or_else(|| StoreError::Broken("the registry has no row".to_owned()))?;
    Ok(Usage { at: now, registry, locations: found.into_iter().filter_map(|(_, usage)| usage).collect() })
}
