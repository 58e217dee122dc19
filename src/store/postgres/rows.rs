//! Between rows and domain values.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::answer::Holder;
use crate::domain::execution::{Details, Execution, RunId};
use crate::domain::factor::Factor;
use crate::domain::location::{Location, LocationName, NOWHERE};
use crate::store::StoreError;

/// `run_id` is an INTEGER in some adopted tables. The factor's own text is only read where the
/// original system recorded more digits than ours.
pub const EXECUTION_COLUMNS: &str = "run_id::bigint, id, repo, lac, stream, test, type, environment, triggered_by, \
     status, start_time, end_time, factor_millionths, dashboard_url, location, extra::text, \
     CASE WHEN factor <> factor_millionths * 0.000001 THEN factor::text END";

pub fn execution(row: &Row) -> Result<Execution, StoreError> {
    let status: &str = get(row, 9)?;
    Ok(Execution {
        run_id: RunId(get(row, 0)?),
        id: get(row, 1)?,
        details: Arc::new(Details {
            repo: get(row, 2)?,
            lac: get(row, 3)?,
            stream: get(row, 4)?,
            test: get(row, 5)?,
            kind: get(row, 6)?,
            environment: get(row, 7)?,
            triggered_by: get(row, 8)?,
            factor: get::<Option<i64>>(row, 12)?.map(Factor::from_millionths),
            dashboard_url: get(row, 13)?,
            location: get::<Option<&str>>(row, 14)?.map(LocationName::new),
            extra: get(row, 15)?,
        }),
        exact_factor: get(row, 16)?,
        status: status.parse().map_err(|_| StoreError::Broken(format!("unexpected status {status:?}")))?,
        start_time: get(row, 10)?,
        end_time: get(row, 11)?,
    })
}

pub const LOCATION_COLUMNS: &str = "name, capacity_millionths, used_millionths, running, fence";

pub fn location(row: &Row) -> Result<Location, StoreError> {
    let name: &str = get(row, 0)?;
    Ok(Location {
        name: (name != NOWHERE).then(|| LocationName::new(name)),
        capacity: Factor::from_millionths(get(row, 1)?),
        used: Factor::from_millionths(get(row, 2)?),
        running: get(row, 3)?,
        fence: get(row, 4)?,
    })
}

pub const HOLDER_COLUMNS: &str = "run_id::bigint, test, triggered_by, factor_millionths, start_time";

pub fn holder(row: &Row) -> Result<Holder, StoreError> {
    Ok(Holder {
        run_id: RunId(get(row, 0)?),
        test: get(row, 1)?,
        triggered_by: get(row, 2)?,
        factor: Factor::from_millionths(get::<Option<i64>>(row, 3)?.unwrap_or_default()),
        start_time: get::<Timestamp>(row, 4)?,
    })
}

/// Reads one column; a type that does not fit is a defect, not a panic.
pub fn get<'row, T: tokio_postgres::types::FromSql<'row>>(row: &'row Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| StoreError::Broken(format!("column {index}: {error}")))
}
