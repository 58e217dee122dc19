//! Counts the executions of each location beside what its row says.

use rusqlite::{Connection, Result, params};

use super::connection::classify;
use super::rows;
use crate::domain::audit::{Difference, Tally};
use crate::domain::capacity::location::of_row;
use crate::store::{AuditPage, StoreError};

/// One statement, so that row and executions are of the same moment. `IS` finds by the index those that name no
/// location as well.
const LOCATIONS: &str = "
    SELECT name, used_millionths, running, leased, waiting,
           (SELECT coalesce(sum(factor_millionths), 0) FROM test_executions WHERE status = 'running' AND location IS nullif(name, '')),
           (SELECT count(*) FROM test_executions WHERE status = 'running' AND location IS nullif(name, '')),
           (SELECT count(lease_seconds) FROM test_executions WHERE status = 'running' AND location IS nullif(name, '')),
           (SELECT count(*) FROM test_executions WHERE status = 'queued' AND location IS nullif(name, ''))
      FROM perfreg_locations WHERE name >= ?1 ORDER BY name LIMIT ?2";

/// Those at locations that have no row; they are found among all that have not ended.
const WITHOUT_A_ROW: &str = "
    SELECT coalesce(location, ''), 0, 0, 0, 0, coalesce(sum(factor_millionths) FILTER (WHERE status = 'running'), 0),
           count(*) FILTER (WHERE status = 'running'),
           count(lease_seconds) FILTER (WHERE status = 'running'), count(*) FILTER (WHERE status = 'queued')
      FROM (SELECT location, factor_millionths, lease_seconds, status FROM test_executions WHERE status = 'running'
            UNION ALL SELECT location, factor_millionths, lease_seconds, status FROM test_executions WHERE status = 'queued')
     WHERE coalesce(location, '') NOT IN (SELECT name FROM perfreg_locations)
     GROUP BY location LIMIT ?1";

pub fn page(connection: &Connection, from: &str, limit: usize) -> std::result::Result<AuditPage, StoreError> {
    // The one that is too many says where the next page begins.
    let most = limit as i64 + 1;
    let mut audited = read(connection, LOCATIONS, params![from, most]).map_err(classify)?;
    let next = if audited.len() > limit { audited.pop().map(|(name, ..)| name) } else { None };
    if next.is_none() {
        audited.extend(read(connection, WITHOUT_A_ROW, params![most]).map_err(classify)?);
    }
    let differences = audited
        .into_iter()
        .filter_map(|(name, row, executions)| Difference::between(of_row(&name), row, executions))
        .collect();
    Ok(AuditPage { differences, next })
}

fn read(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<(String, Tally, Tally)>> {
    connection.prepare_cached(sql)?.query_map(parameters, rows::audited)?.collect()
}
