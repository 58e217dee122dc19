//! What runs and waits where, and what ran beside a run.

use jiff::Timestamp;
use tokio::try_join;
use tokio_postgres::types::{ToSql, Type};

use super::error::classify;
use super::link::session::Session;
use super::locations::{self, IS_THERE};
use super::rows;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::execution::Execution;
use crate::domain::schedule::board::BoardSnapshot;
use crate::domain::schedule::neighbours::LONGEST_LOOK_BACK;
use crate::store::StoreError;
use crate::store::search::{A_LONG_RUN, FIRST_LOOKED_AT, LONGEST_TERM_CHARACTERS, MOST_PROFILES};

/// As in the index of those that took so long.
const IS_LONG: &str = "length(location) <= 400 AND end_time - start_time >= INTERVAL '1 hour'";

/// A connection on which this fails is in the middle of a transaction and must be closed.
pub async fn read(client: &Session, location: Option<&LocationName>, most: usize) -> Result<BoardSnapshot, StoreError> {
    let name = location.map(LocationName::as_str);
    // All statements of such a transaction see the moment of the first.
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(classify)?;
    let (registry, locations, running, queued) = try_join!(
        locations::registry(client),
        read_locations(client, name),
        read_executions(client, "running", name, most),
        read_executions(client, "queued", name, most),
    )?;
    client.batch_execute("COMMIT").await.map_err(classify)?;
    Ok(BoardSnapshot { registry, locations, running, queued })
}

async fn read_locations(client: &Session, name: Option<&str>) -> Result<Vec<Location>, StoreError> {
    let sql = format!(
        "SELECT {} FROM perfreg_locations
          WHERE ($1::text IS NULL OR name = $1) AND (name <> '' OR running + waiting > 0) AND {IS_THERE}
          ORDER BY name COLLATE \"C\"",
        rows::LOCATION_COLUMNS
    );
    let found = client.query_typed(&sql, &[(&name, Type::TEXT)]).await.map_err(classify)?;
    found.iter().map(rows::location).collect()
}

async fn read_executions(
    client: &Session,
    status: &str,
    name: Option<&str>,
    most: usize,
) -> Result<Vec<Execution>, StoreError> {
    // An index has those that run or wait by their location.
    let at_location = if name.is_some() { "location = $1" } else { "$1::text IS NULL" };
    let sql = format!(
        "SELECT {} FROM test_executions WHERE status = '{status}' AND {at_location} ORDER BY run_id LIMIT {most}",
        rows::EXECUTION_COLUMNS
    );
    let found = client.query_typed(&sql, &[(&name, Type::TEXT)]).await.map_err(classify)?;
    found.iter().map(rows::execution).collect()
}

pub async fn runs_between(
    client: &Session,
    location: &LocationName,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<Vec<Execution>, StoreError> {
    let columns = rows::EXECUTION_COLUMNS;
    let ran = "location = $1 AND (fence IS NOT NULL OR queued_at IS NULL)";
    let recent = format!("status <> 'queued' AND start_time >= $4 AND start_time < $3 AND {ran}");
    let an_hour_before = from.saturating_sub(A_LONG_RUN).unwrap_or(Timestamp::MIN);
    let recent = if by_profile(client, location, an_hour_before, to).await? {
        // OFFSET keeps the planner from going through all that started at the time.
        format!(
            "SELECT run.* FROM perfreg_profiles AS profile
              CROSS JOIN LATERAL (SELECT * FROM test_executions AS run
                                   WHERE run.profile = profile.id AND {recent} OFFSET 0) AS run
              WHERE profile.location = $1 AND length(profile.location) <= {LONGEST_TERM_CHARACTERS}
              UNION ALL
             SELECT * FROM test_executions WHERE profile IS NULL AND {recent}"
        )
    } else {
        format!("SELECT * FROM test_executions WHERE {recent}")
    };
    let sql = format!(
        "SELECT {columns} FROM (
           {recent}
           UNION ALL
           SELECT * FROM test_executions
            WHERE start_time >= $5 AND start_time < least($3, $4) AND {ran} AND {IS_LONG}
           UNION ALL
           SELECT * FROM test_executions WHERE status = 'running' AND start_time < least($3, $4) AND {ran}
         ) AS ran WHERE end_time IS NULL OR end_time > $2 ORDER BY start_time DESC, run_id DESC LIMIT {limit}"
    );
    let since = from.saturating_sub(LONGEST_LOOK_BACK).unwrap_or(Timestamp::MIN);
    let (name, time) = (location.as_str(), Type::TIMESTAMPTZ);
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&name, Type::TEXT),
        (&from, time.clone()),
        (&to, time.clone()),
        (&an_hour_before, time.clone()),
        (&since, time),
    ];
    let found = client.query_typed(&sql, &parameters).await.map_err(classify)?;
    found.iter().map(rows::execution).collect()
}

/// Whether what ran at a location is found faster by its profiles than among all that started between these times.
async fn by_profile(
    client: &Session,
    location: &LocationName,
    from: Timestamp,
    to: Timestamp,
) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT (SELECT count(*) > {FIRST_LOOKED_AT}
                   FROM (SELECT 1 FROM test_executions WHERE start_time >= $2 AND start_time < $3
                          LIMIT {FIRST_LOOKED_AT} + 1) AS started)
            AND length($1) <= {LONGEST_TERM_CHARACTERS}
            AND (SELECT count(*) <= {MOST_PROFILES}
                   FROM (SELECT 1 FROM perfreg_profiles
                          WHERE location = $1 AND length(location) <= {LONGEST_TERM_CHARACTERS}
                          LIMIT {MOST_PROFILES} + 1) AS few)"
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&location.as_str(), Type::TEXT), (&from, Type::TIMESTAMPTZ), (&to, Type::TIMESTAMPTZ)];
    let found = client.query_typed_one(&sql, &parameters).await.map_err(classify)?;
    rows::get(&found, 0)
}
