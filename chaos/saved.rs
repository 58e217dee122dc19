//! What the database holds in the end, read as it is, past the product.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::NoTls;

use crate::answers;
use crate::check::{Event, Evidence, Execution, Location};
use crate::world::World;

const RUNS: &str = "SELECT run_id, location, CAST(extra AS TEXT), status, factor_millionths, fence, start_time, end_time, \
     end_reason, queued_at, CAST(priority AS BIGINT), CAST(lease_seconds AS BIGINT) FROM test_executions ORDER BY run_id";
const LOCATIONS: &str =
    "SELECT name, capacity_millionths, used_millionths, running, waiting, leased, state FROM perfreg_locations";
/// Those that are judged; there are many more.
const EVENTS: &str = "SELECT at, kind, run_id, asked_by,
     CASE WHEN kind = 'start_withdrawn' THEN CAST(facts AS TEXT) END FROM perfreg_events
     WHERE kind IN ('queued', 'started', 'start_withdrawn', 'suspect', 'recovered', 'ended', 'location_set')
     ORDER BY number";

/// A value of a row, of either database.
enum Cell {
    Null,
    Number(i64),
    Text(String),
    Time(Timestamp),
}

impl Cell {
    fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(*time),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Adds what is saved to the evidence.
pub async fn read(url: &str, world: &World, evidence: &mut Evidence) -> Result<()> {
    for row in rows(url, RUNS).await? {
        evidence.runs.push(run(&row, world).context("an execution of another form")?);
    }
    for row in rows(url, LOCATIONS).await? {
        let place = world.places.iter().find(|place| Some(place.name.as_str()) == row[0].text());
        let Some(place) = place else { continue };
        let number = |index: usize| row[index].number().context("a number");
        evidence.locations.push(Location {
            index: place.index,
            capacity: number(1)?,
            used: number(2)?,
            running: number(3)?,
            waiting: number(4)?,
            leased: number(5)?,
            is_open: row[6].text() == Some("open"),
        });
    }
    for row in rows(url, EVENTS).await? {
        let op = row[3].text().and_then(|by| by.strip_prefix("op-")?.parse().ok());
        let at = world.moment(row[0].time().context("a time")?);
        evidence.events.push(Event {
            at,
            what: row[1].text().unwrap_or_default().to_owned(),
            run_id: row[2].number(),
            op,
            fence: row[4].text().and_then(fence),
        });
    }
    // Everything at one location happens at times that only grow.
    evidence.events.sort_by_key(|event| event.at);
    Ok(())
}

fn fence(facts: &str) -> Option<i64> {
    serde_json::from_str::<Value>(facts).ok()?["fence"].as_i64()
}

fn run(row: &[Cell], world: &World) -> Option<Execution> {
    let place = world.places.iter().find(|place| Some(place.name.as_str()) == row[1].text())?;
    let extra: Value = serde_json::from_str(row[2].text()?).ok()?;
    let time = |index: usize| row[index].time().map(|time| world.moment(time));
    Some(Execution {
        run_id: row[0].number()?,
        location: place.index,
        op: extra["op"].as_u64().unwrap_or_default(),
        status: answers::status(row[3].text()?)?,
        factor: row[4].number().unwrap_or_default(),
        fence: row[5].number(),
        start: time(6)?,
        end: time(7),
        end_reason: row[8].text().map(str::to_owned),
        queued: time(9),
        priority: u8::try_from(row[10].number()?).ok()?,
        lease_seconds: row[11].number().and_then(|seconds| u32::try_from(seconds).ok()),
    })
}

async fn rows(url: &str, sql: &str) -> Result<Vec<Vec<Cell>>> {
    match url.strip_prefix("sqlite:") {
        Some(path) => sqlite_rows(path, sql),
        None => postgres_rows(url, sql).await,
    }
}

fn sqlite_rows(path: &str, sql: &str) -> Result<Vec<Vec<Cell>>> {
    use rusqlite::types::Value;
    let connection = rusqlite::Connection::open(path)?;
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let cell = |value| match value {
        Value::Integer(number) => Cell::Number(number),
        Value::Text(text) => Cell::Text(text),
        _ => Cell::Null,
    };
    let found = statement.query_map([], |row| (0..columns).map(|index| row.get(index).map(cell)).collect())?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

async fn postgres_rows(url: &str, sql: &str) -> Result<Vec<Vec<Cell>>> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let found = client.query(sql, &[]).await?;
    let cells = |row: &tokio_postgres::Row| (0..row.len()).map(|index| postgres_cell(row, index)).collect();
    found.iter().map(cells).collect()
}

fn postgres_cell(row: &tokio_postgres::Row, index: usize) -> Result<Cell> {
    Ok(match row.columns()[index].type_().name() {
        "int8" => row.try_get::<_, Option<i64>>(index)?.map_or(Cell::Null, Cell::Number),
        "timestamptz" => row.try_get::<_, Option<Timestamp>>(index)?.map_or(Cell::Null, Cell::Time),
        _ => row.try_get::<_, Option<String>>(index)?.map_or(Cell::Null, Cell::Text),
    })
}

/// What SQLite itself says of its file.
pub fn is_intact(url: &str) -> Result<bool> {
    let Some(path) = url.strip_prefix("sqlite:") else { return Ok(true) };
    let connection = rusqlite::Connection::open(path)?;
    let word: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    Ok(word == "ok")
}
