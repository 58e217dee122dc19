//! Between rows and domain values.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::domain::answer::Holder;
use crate::domain::audit::Tally;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{Location, LocationName, of_row};
use crate::domain::continuity::Continuity;
use crate::domain::event::{EventId, SavedEvent};
use crate::domain::execution::lease::{Lease, TokenHash};
use crate::domain::execution::place::Place;
use crate::domain::execution::priority::Priority;
use crate::domain::execution::{Details, Execution, RunId, Stop};
use crate::domain::gate::Gate;
use crate::domain::usage::LocationUsage;
use crate::store::StoreError;

/// The columns of a row, read one after the other in the order of the statement.
struct Columns<'row> {
    row: &'row Row,
    next: usize,
}

impl<'row> Columns<'row> {
    const fn of(row: &'row Row) -> Self {
        Self { row, next: 0 }
    }

    fn next<T: FromSql<'row>>(&mut self) -> Result<T, StoreError> {
        self.next += 1;
        get(self.row, self.next - 1)
    }

    fn factor(&mut self) -> Result<Factor, StoreError> {
        self.next().map(Factor::from_millionths)
    }

    /// A text in which a domain value is written down.
    fn parsed<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let text: &str = self.next()?;
        parse(text).ok_or_else(|| unexpected(text))
    }

    fn optional<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, StoreError> {
        let text: Option<&str> = self.next()?;
        text.map(|text| parse(text).ok_or_else(|| unexpected(text))).transpose()
    }
}

fn unexpected(text: &str) -> StoreError {
    StoreError::Broken(format!("unexpected text {text:?}"))
}

/// `run_id` is an INTEGER in some adopted tables. The factor's own text is only read where the
/// original system recorded more digits than ours.
pub const EXECUTION_COLUMNS: &str = "run_id::bigint, id, repo, lac, stream, test, type, environment, triggered_by, \
     factor_millionths, dashboard_url, location, extra::text, \
     CASE WHEN factor <> factor_millionths * 0.000001 THEN factor::text END, status, start_time, end_time, priority, \
     queued_at, wait_until, heard_at, noted_at, tell_by, lease_seconds, lease_token_hash, lease_expires_at, suspect, fence, \
     stop_reason, stop_by, stop_at, end_reason, expected_seconds, version";

pub fn execution(row: &Row) -> Result<Execution, StoreError> {
    let mut columns = Columns::of(row);
    let columns = &mut columns;
    Ok(Execution {
        run_id: RunId(columns.next()?),
        id: columns.next()?,
        details: Arc::new(Details {
            repo: columns.next()?,
            lac: columns.next()?,
            stream: columns.next()?,
            test: columns.next()?,
            kind: columns.next()?,
            environment: columns.next()?,
            triggered_by: columns.next()?,
            factor: columns.next::<Option<i64>>()?.map(Factor::from_millionths),
            dashboard_url: columns.next()?,
            location: columns.next::<Option<&str>>()?.map(LocationName::new),
            extra: columns.next()?,
        }),
        exact_factor: columns.next()?,
        status: columns.parsed(|text| text.parse().ok())?,
        start_time: columns.next()?,
        end_time: columns.next()?,
        priority: priority(columns)?,
        place: place(columns)?,
        lease: lease(columns)?,
        fence: columns.next()?,
        stop: stop(columns)?,
        end_reason: columns.optional(|text| text.parse().ok())?,
        expected_seconds: seconds(columns)?,
        version: columns.next()?,
    })
}

fn seconds(columns: &mut Columns<'_>) -> Result<Option<u32>, StoreError> {
    let seconds: Option<i32> = columns.next()?;
    Ok(seconds.and_then(|seconds| u32::try_from(seconds).ok()))
}

fn priority(columns: &mut Columns<'_>) -> Result<Priority, StoreError> {
    let priority: i16 = columns.next()?;
    Ok(u8::try_from(priority).ok().and_then(Priority::new).unwrap_or(Priority::DEFAULT))
}

fn place(columns: &mut Columns<'_>) -> Result<Option<Place>, StoreError> {
    let (queued_at, until, heard_at): (Option<Timestamp>, Option<Timestamp>, Option<Timestamp>) =
        (columns.next()?, columns.next()?, columns.next()?);
    let (noted_at, tell_by) = (columns.next()?, columns.next()?);
    let place = |((queued_at, until), heard_at)| Place { queued_at, until, heard_at, noted_at, tell_by };
    Ok(queued_at.zip(until).zip(heard_at).map(place))
}

fn lease(columns: &mut Columns<'_>) -> Result<Option<Lease>, StoreError> {
    let (seconds, token): (_, Option<String>) = (seconds(columns)?, columns.next()?);
    let (expires_at, suspect) = (columns.next()?, columns.next()?);
    let lease = |(seconds, token)| Lease { seconds, token: TokenHash(token), expires_at, suspect };
    Ok(seconds.zip(token).map(lease))
}

fn stop(columns: &mut Columns<'_>) -> Result<Option<Stop>, StoreError> {
    let (reason, by, at): (Option<String>, Option<String>, Option<Timestamp>) =
        (columns.next()?, columns.next()?, columns.next()?);
    Ok(reason.zip(at).map(|(reason, at)| Stop { reason, by, at }))
}

pub const GATE_COLUMNS: &str = "state, state_reason, state_by, state_until";

pub fn gate(row: &Row) -> Result<Gate, StoreError> {
    read_gate(&mut Columns::of(row))
}

fn read_gate(columns: &mut Columns<'_>) -> Result<Gate, StoreError> {
    Ok(Gate {
        state: columns.parsed(|text| text.parse().ok())?,
        reason: columns.next()?,
        by: columns.next()?,
        until: columns.next()?,
    })
}

pub const CONTINUITY_COLUMNS: &str = "fence_floor, pulse_at, resumed_at";

pub fn continuity(row: &Row) -> Result<Continuity, StoreError> {
    read_continuity(&mut Columns::of(row))
}

fn read_continuity(columns: &mut Columns<'_>) -> Result<Continuity, StoreError> {
    Ok(Continuity { fence_floor: columns.next()?, pulse_at: columns.next()?, resumed_at: columns.next()? })
}

/// What a decision has to know of the whole registry: [`CONTINUITY_COLUMNS`], then [`GATE_COLUMNS`].
pub fn registry(row: &Row) -> Result<(Continuity, Gate), StoreError> {
    let mut columns = Columns::of(row);
    Ok((read_continuity(&mut columns)?, read_gate(&mut columns)?))
}

pub const LOCATION_COLUMNS: &str = "name, capacity_millionths, used_millionths, running, fence, waiting, leased, state, \
     state_reason, state_by, state_until, version, next_due, coalesce(deleted_version = version, false)";

pub fn location(row: &Row) -> Result<Location, StoreError> {
    let mut columns = Columns::of(row);
    let name: &str = columns.next()?;
    read_location(name, &mut columns)
}

/// What comes behind its name.
fn read_location(name: &str, columns: &mut Columns<'_>) -> Result<Location, StoreError> {
    Ok(Location {
        name: of_row(name),
        capacity: columns.factor()?,
        used: columns.factor()?,
        running: columns.next()?,
        fence: columns.next()?,
        waiting: columns.next()?,
        leased: columns.next()?,
        gate: read_gate(columns)?,
        version: columns.next()?,
        next_due: columns.next()?,
        is_new: columns.next()?,
    })
}

/// A moment, the registry's gate then, and what is in use at a location, if there is one.
pub fn usage(row: &Row) -> Result<(Timestamp, Gate, Option<LocationUsage>), StoreError> {
    let mut columns = Columns::of(row);
    let (at, registry) = (columns.next()?, read_gate(&mut columns)?);
    let (suspect, overdue, waiting_since) = (columns.next()?, columns.next()?, columns.next()?);
    let Some(name) = columns.next::<Option<&str>>()? else { return Ok((at, registry, None)) };
    let location = read_location(name, &mut columns)?;
    Ok((at, registry, Some(LocationUsage { location, suspect, overdue, waiting_since })))
}

pub const HOLDER_COLUMNS: &str = "run_id::bigint, test, triggered_by, factor_millionths, start_time, expected_seconds";

pub fn holder(row: &Row) -> Result<Holder, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Holder {
        run_id: RunId(columns.next()?),
        test: columns.next()?,
        triggered_by: columns.next()?,
        factor: Factor::from_millionths(columns.next::<Option<i64>>()?.unwrap_or_default()),
        start_time: columns.next()?,
        expected_seconds: seconds(&mut columns)?,
    })
}

pub const EVENT_COLUMNS: &str = "position, number, at, kind, run_id, location, asked_by, facts::text";

pub fn event(row: &Row) -> Result<SavedEvent, StoreError> {
    let mut columns = Columns::of(row);
    Ok(SavedEvent {
        id: EventId { position: columns.next()?, number: columns.next()? },
        at: columns.next()?,
        kind: columns.next()?,
        run_id: columns.next::<Option<i64>>()?.map(RunId),
        location: columns.next::<Option<&str>>()?.and_then(of_row),
        by: columns.next()?,
        facts: columns.next()?,
    })
}

/// Reads one column; a type that does not fit is a defect, not a panic.
pub fn get<'row, T: FromSql<'row>>(row: &'row Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| StoreError::Broken(format!("column {index}: {error}")))
}

/// A location's row, and what its executions add up to.
pub fn audited(row: &Row) -> Result<(String, Tally, Tally), StoreError> {
    let mut columns = Columns::of(row);
    Ok((columns.next()?, tally(&mut columns)?, tally(&mut columns)?))
}

fn tally(columns: &mut Columns<'_>) -> Result<Tally, StoreError> {
    Ok(Tally { used: columns.factor()?, running: columns.next()?, leased: columns.next()?, waiting: columns.next()? })
}
