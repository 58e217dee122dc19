//! What runs and waits where, and what ran beside a run.

use jiff::Timestamp;
use rusqlite::{Connection, Result, params};

use super::connection::classify;
use super::locations;
use super::rows::{self, timestamp_text};
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::Execution;
use crate::domain::schedule::board::BoardSnapshot;
use crate::domain::schedule::neighbours::LONGEST_LOOK_BACK;
use crate::store::StoreError;
use crate::store::search::{A_LONG_RUN, FIRST_LOOKED_AT, MOST_PROFILES};

/// As in the index of those that took so long.
const IS_LONG: &str = "unixepoch(end_time) - unixepoch(start_time) >= 3600";

pub fn read(
    connection: &Connection,
    location: Option<&LocationName>,
    most: usize,
) -> Result<BoardSnapshot, StoreError> {
    let name = location.map(LocationName::as_str);
    // One transaction sees one moment.
    connection.unchecked_transaction().and_then(|transaction| read_all(&transaction, name, most)).map_err(classify)
}

fn read_all(connection: &Connection, name: Option<&str>, most: usize) -> Result<BoardSnapshot> {
    let every_location = format!(
        "SELECT {} FROM perfreg_locations
          WHERE (?1 IS NULL OR name = ?1) AND (name <> '' OR running + waiting > 0)
            AND deleted_version IS NOT version ORDER BY name",
        rows::LOCATION_COLUMNS
    );
    let at_location = if name.is_some() { "location = ?1" } else { "?1 IS NULL" };
    let executions = |status: &str| -> Result<Vec<Execution>> {
        let sql = format!(
            "SELECT {} FROM test_executions WHERE status = '{status}' AND {at_location} ORDER BY run_id LIMIT {most}",
            rows::EXECUTION_COLUMNS
        );
        connection.prepare_cached(&sql)?.query_map([name], rows::execution)?.collect()
    };
    Ok(BoardSnapshot {
        registry: locations::registry(connection)?,
        locations: connection
            .prepare_cached(&every_location)?
            .query_map([name], rows::location)?
            .collect::<Result<_>>()?,
        running: executions("running")?,
        queued: executions("queued")?,
    })
}

pub fn runs_between(
    connection: &Connection,
    location: &LocationName,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<Vec<Execution>, StoreError> {
    let columns = rows::EXECUTION_COLUMNS;
    let ran = "location = ?1 AND (fence IS NOT NULL OR queued_at IS NULL) AND (end_time IS NULL OR end_time > ?2)";
    let recent = format!("status <> 'queued' AND start_time >= ?4 AND start_time < ?3 AND {ran}");
    let an_hour_before = from.saturating_sub(A_LONG_RUN).unwrap_or(Timestamp::MIN);
    let recent = if by_profile(connection, location, an_hour_before, to).map_err(classify)? {
        let of_profile = format!(
            "SELECT {columns} FROM test_executions INDEXED BY perfreg_executions_newest_of_profile WHERE {recent}"
        );
        format!(
            "{of_profile} AND profile IN (SELECT id FROM perfreg_profiles WHERE location = ?1)
              UNION ALL {of_profile} AND profile IS NULL"
        )
    } else {
        format!("SELECT {columns} FROM test_executions INDEXED BY perfreg_executions_newest WHERE {recent}")
    };
    let sql = format!(
        "{recent} UNION ALL
         SELECT {columns} FROM test_executions INDEXED BY perfreg_executions_long
          WHERE start_time >= ?5 AND start_time < min(?3, ?4) AND {ran} AND {IS_LONG}
          UNION ALL
         SELECT {columns} FROM test_executions WHERE status = 'running' AND start_time < min(?3, ?4) AND {ran}
          ORDER BY start_time DESC, run_id DESC LIMIT {limit}"
    );
    let since = from.saturating_sub(LONGEST_LOOK_BACK).unwrap_or(Timestamp::MIN);
    let [from, to, an_hour_before, since] = [from, to, an_hour_before, since].map(timestamp_text);
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| {
            select.query_map(params![location.as_str(), from, to, an_hour_before, since], rows::execution)?.collect()
        })
        .map_err(classify)
}

/// Whether what ran at a location is found faster by its profiles than among all that started between these times.
fn by_profile(connection: &Connection, location: &LocationName, from: Timestamp, to: Timestamp) -> Result<bool> {
    let sql = format!(
        "SELECT (SELECT count(*) > {FIRST_LOOKED_AT}
                   FROM (SELECT 1 FROM test_executions WHERE start_time >= ?2 AND start_time < ?3
                          LIMIT {FIRST_LOOKED_AT} + 1))
            AND (SELECT count(*) <= {MOST_PROFILES}
                   FROM (SELECT 1 FROM perfreg_profiles WHERE location = ?1 LIMIT {MOST_PROFILES} + 1))"
    );
    let parameters = params![location.as_str(), timestamp_text(from), timestamp_text(to)];
    connection.prepare_cached(&sql)?.query_row(parameters, |row| row.get(0))
}
