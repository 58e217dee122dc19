//! Counts the executions of each location beside what its row says.

use tokio_postgres::types::Type;

use super::error::classify;
use super::link::session::Session;
use super::rows;
use crate::domain::audit::Difference;
use crate::domain::capacity::location::of_row;
use crate::store::{AuditPage, StoreError};

/// One statement, so that row and executions are of the same moment. Each status has an index of its own, and so do those
/// that name no location.
const LOCATIONS: &str = "
    SELECT name, used_millionths, running, leased, waiting, counted.*
      FROM (SELECT name, used_millionths, running, leased, waiting FROM perfreg_locations WHERE name >= $1
             ORDER BY name LIMIT $2) AS locations
      CROSS JOIN LATERAL (
            SELECT coalesce(sum(factor_millionths) FILTER (WHERE status = 'running'), 0)::bigint,
                   count(*) FILTER (WHERE status = 'running'), count(lease_seconds) FILTER (WHERE status = 'running'),
                   count(*) FILTER (WHERE status = 'queued')
              FROM (SELECT status, factor_millionths, lease_seconds FROM test_executions
                     WHERE status = 'running' AND location = name AND name <> ''
                    UNION ALL SELECT status, factor_millionths, lease_seconds FROM test_executions
                     WHERE status = 'running' AND location IS NULL AND name = ''
                    UNION ALL SELECT status, factor_millionths, lease_seconds FROM test_executions
                     WHERE status = 'queued' AND location = name) AS executions
      ) AS counted
     ORDER BY name";

/// Those at locations that have no row; they are found among all that have not ended.
const WITHOUT_A_ROW: &str = "
    SELECT coalesce(location, ''), 0::bigint, 0::bigint, 0::bigint, 0::bigint,
           coalesce(sum(factor_millionths) FILTER (WHERE status = 'running'), 0)::bigint,
           count(*) FILTER (WHERE status = 'running'), count(lease_seconds) FILTER (WHERE status = 'running'),
           count(*) FILTER (WHERE status = 'queued')
      FROM (SELECT location, factor_millionths, lease_seconds, status FROM test_executions WHERE status = 'running'
            UNION ALL SELECT location, factor_millionths, lease_seconds, status FROM test_executions
             WHERE status = 'queued') AS executions
     WHERE NOT EXISTS (SELECT FROM perfreg_locations WHERE name = coalesce(location, ''))
     GROUP BY location LIMIT $1";

pub async fn page(client: &Session, from: &str, limit: usize) -> Result<AuditPage, StoreError> {
    // The one that is too many says where the next page begins.
    let most = limit as i64 + 1;
    let rows = client.query_typed(LOCATIONS, &[(&from, Type::TEXT), (&most, Type::INT8)]).await.map_err(classify)?;
    let mut audited = rows.iter().map(rows::audited).collect::<Result<Vec<_>, _>>()?;
    let next = if audited.len() > limit { audited.pop().map(|(name, ..)| name) } else { None };
    if next.is_none() {
        let rows = client.query_typed(WITHOUT_A_ROW, &[(&most, Type::INT8)]).await.map_err(classify)?;
        for row in &rows {
            audited.push(rows::audited(row)?);
        }
    }
    let differences = audited
        .into_iter()
        .filter_map(|(name, row, executions)| Difference::between(of_row(&name), row, executions))
        .collect();
    Ok(AuditPage { differences, next })
}
