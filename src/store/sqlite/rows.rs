//! Between rows and domain values.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Result, Row};
use uuid::Uuid;

use crate::domain::answer::Holder;
use crate::domain::execution::{Details, Execution, RunId, Status};
use crate::domain::factor::Factor;
use crate::domain::location::{Location, LocationName, NOWHERE};

pub const EXECUTION_COLUMNS: &str = "run_id, id, repo, lac, stream, test, type, environment, triggered_by, status, \
     start_time, end_time, factor_millionths, dashboard_url, location, extra";

pub fn execution(row: &Row<'_>) -> Result<Execution> {
    Ok(Execution {
        run_id: RunId(row.get(0)?),
        id: parsed(row, 1, |text| text.parse::<Uuid>().ok())?,
        details: Arc::new(Details {
            repo: row.get(2)?,
            lac: row.get(3)?,
            stream: row.get(4)?,
            test: row.get(5)?,
            kind: row.get(6)?,
            environment: row.get(7)?,
            triggered_by: row.get(8)?,
            factor: row.get::<_, Option<i64>>(12)?.map(Factor::from_millionths),
            dashboard_url: row.get(13)?,
            location: row.get::<_, Option<String>>(14)?.map(|name| LocationName::new(&name)),
            extra: row.get(15)?,
        }),
        exact_factor: None,
        status: parsed(row, 9, |text| text.parse::<Status>().ok())?,
        start_time: timestamp(row, 10)?,
        end_time: if row.get_ref(11)? == rusqlite::types::ValueRef::Null { None } else { Some(timestamp(row, 11)?) },
    })
}

pub const LOCATION_COLUMNS: &str = "name, capacity_millionths, used_millionths, running, fence";

pub fn location(row: &Row<'_>) -> Result<Location> {
    let name: String = row.get(0)?;
    Ok(Location {
        name: (name != NOWHERE).then(|| LocationName::new(&name)),
        capacity: Factor::from_millionths(row.get(1)?),
        used: Factor::from_millionths(row.get(2)?),
        running: row.get(3)?,
        fence: row.get(4)?,
    })
}

pub const HOLDER_COLUMNS: &str = "run_id, test, triggered_by, factor_millionths, start_time";

pub fn holder(row: &Row<'_>) -> Result<Holder> {
    Ok(Holder {
        run_id: RunId(row.get(0)?),
        test: row.get(1)?,
        triggered_by: row.get(2)?,
        factor: Factor::from_millionths(row.get::<_, Option<i64>>(3)?.unwrap_or_default()),
        start_time: timestamp(row, 4)?,
    })
}

/// RFC 3339 in UTC with six fractional digits, always as long, so that text sorts as time does.
pub fn timestamp_text(time: Timestamp) -> String {
    format!("{time:.6}")
}

fn timestamp(row: &Row<'_>, index: usize) -> Result<Timestamp> {
    parsed(row, index, |text| text.parse().ok())
}

fn parsed<T>(row: &Row<'_>, index: usize, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    let text: String = row.get(index)?;
    parse(&text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, format!("unexpected text {text:?}").into())
    })
}
