//! Between rows and domain values.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::types::{FromSql, Type};
use rusqlite::{Result, Row};
use uuid::Uuid;

use crate::domain::adopted::AdoptedAt;
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

/// The columns of a row, read one after the other in the order of the statement.
struct Columns<'row> {
    row: &'row Row<'row>,
    next: usize,
}

impl<'row> Columns<'row> {
    const fn of(row: &'row Row<'row>) -> Self {
        Self { row, next: 0 }
    }

    fn next<T: FromSql>(&mut self) -> Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    fn factor(&mut self) -> Result<Factor> {
        self.next().map(Factor::from_millionths)
    }

    /// A text in which a domain value is written down.
    fn parsed<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let index = self.next;
        let text: String = self.next()?;
        parse(&text).ok_or_else(|| unexpected(index, &text))
    }

    fn optional<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
        let index = self.next;
        let text: Option<String> = self.next()?;
        text.map(|text| parse(&text).ok_or_else(|| unexpected(index, &text))).transpose()
    }

    fn time(&mut self) -> Result<Timestamp> {
        self.parsed(|text| text.parse().ok())
    }

    fn optional_time(&mut self) -> Result<Option<Timestamp>> {
        self.optional(|text| text.parse().ok())
    }
}

fn unexpected(index: usize, text: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, format!("unexpected text {text:?}").into())
}

pub const EXECUTION_COLUMNS: &str = "run_id, id, repo, lac, stream, test, type, environment, triggered_by, \
     factor_millionths, dashboard_url, location, extra, status, start_time, end_time, priority, queued_at, wait_until, \
     heard_at, noted_at, tell_by, lease_seconds, lease_token_hash, lease_expires_at, suspect, fence, stop_reason, stop_by, \
     stop_at, end_reason, expected_seconds, version";

pub fn execution(row: &Row<'_>) -> Result<Execution> {
    let mut columns = Columns::of(row);
    let columns = &mut columns;
    Ok(Execution {
        run_id: RunId(columns.next()?),
        id: columns.parsed(|text| text.parse::<Uuid>().ok())?,
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
            location: columns.next::<Option<String>>()?.map(|name| LocationName::new(&name)),
            extra: columns.next()?,
        }),
        exact_factor: None,
        status: columns.parsed(|text| text.parse().ok())?,
        start_time: columns.time()?,
        end_time: columns.optional_time()?,
        priority: Priority::new(columns.next()?).unwrap_or(Priority::DEFAULT),
        place: place(columns)?,
        lease: lease(columns)?,
        fence: columns.next()?,
        stop: stop(columns)?,
        end_reason: columns.optional(|text| text.parse().ok())?,
        expected_seconds: columns.next()?,
        version: columns.next()?,
    })
}

fn place(columns: &mut Columns<'_>) -> Result<Option<Place>> {
    let (queued_at, until, heard_at) = (columns.optional_time()?, columns.optional_time()?, columns.optional_time()?);
    let (noted_at, tell_by) = (columns.optional_time()?, columns.optional_time()?);
    let place = |((queued_at, until), heard_at)| Place { queued_at, until, heard_at, noted_at, tell_by };
    Ok(queued_at.zip(until).zip(heard_at).map(place))
}

fn lease(columns: &mut Columns<'_>) -> Result<Option<Lease>> {
    let (seconds, token): (Option<u32>, Option<String>) = (columns.next()?, columns.next()?);
    let (expires_at, suspect) = (columns.optional_time()?, columns.next()?);
    let lease = |(seconds, token)| Lease { seconds, token: TokenHash(token), expires_at, suspect };
    Ok(seconds.zip(token).map(lease))
}

fn stop(columns: &mut Columns<'_>) -> Result<Option<Stop>> {
    let (reason, by, at): (Option<String>, Option<String>, _) =
        (columns.next()?, columns.next()?, columns.optional_time()?);
    Ok(reason.zip(at).map(|(reason, at)| Stop { reason, by, at }))
}

pub const GATE_COLUMNS: &str = "state, state_reason, state_by, state_until";

pub fn gate(row: &Row<'_>) -> Result<Gate> {
    read_gate(&mut Columns::of(row))
}

fn read_gate(columns: &mut Columns<'_>) -> Result<Gate> {
    Ok(Gate {
        state: columns.parsed(|text| text.parse().ok())?,
        reason: columns.next()?,
        by: columns.next()?,
        until: columns.optional_time()?,
    })
}

pub const CONTINUITY_COLUMNS: &str = "fence_floor, pulse_at, resumed_at";

pub fn continuity(row: &Row<'_>) -> Result<Continuity> {
    read_continuity(&mut Columns::of(row))
}

fn read_continuity(columns: &mut Columns<'_>) -> Result<Continuity> {
    let fence_floor = columns.next()?;
    Ok(Continuity { fence_floor, pulse_at: columns.optional_time()?, resumed_at: columns.optional_time()? })
}

/// What a decision has to know of the whole registry: [`CONTINUITY_COLUMNS`], then [`GATE_COLUMNS`].
pub fn registry(row: &Row<'_>) -> Result<(Continuity, Gate)> {
    let mut columns = Columns::of(row);
    Ok((read_continuity(&mut columns)?, read_gate(&mut columns)?))
}

pub const LOCATION_COLUMNS: &str = "name, capacity_millionths, used_millionths, running, fence, waiting, leased, state, \
     state_reason, state_by, state_until, version, next_due, coalesce(deleted_version = version, false)";

pub fn location(row: &Row<'_>) -> Result<Location> {
    let mut columns = Columns::of(row);
    let name: String = columns.next()?;
    read_location(&name, &mut columns)
}

/// What comes behind its name.
fn read_location(name: &str, columns: &mut Columns<'_>) -> Result<Location> {
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
        next_due: columns.optional_time()?,
        is_new: columns.next()?,
    })
}

/// The registry's gate, and what is in use at a location, if there is one.
pub fn usage(row: &Row<'_>) -> Result<(Gate, Option<LocationUsage>)> {
    let mut columns = Columns::of(row);
    let registry = read_gate(&mut columns)?;
    let (suspect, overdue, waiting_since) = (columns.next()?, columns.next()?, columns.optional_time()?);
    let Some(name) = columns.next::<Option<String>>()? else { return Ok((registry, None)) };
    let location = read_location(&name, &mut columns)?;
    Ok((registry, Some(LocationUsage { location, suspect, overdue, waiting_since })))
}

pub const HOLDER_COLUMNS: &str = "run_id, test, triggered_by, factor_millionths, start_time, expected_seconds";

pub fn holder(row: &Row<'_>) -> Result<Holder> {
    let mut columns = Columns::of(row);
    Ok(Holder {
        run_id: RunId(columns.next()?),
        test: columns.next()?,
        triggered_by: columns.next()?,
        factor: Factor::from_millionths(columns.next::<Option<i64>>()?.unwrap_or_default()),
        start_time: columns.time()?,
        expected_seconds: columns.next()?,
    })
}

pub const EVENT_COLUMNS: &str = "number, at, kind, run_id, location, asked_by, facts";

pub fn event(row: &Row<'_>) -> Result<SavedEvent> {
    let mut columns = Columns::of(row);
    Ok(SavedEvent {
        id: EventId { position: 0, number: columns.next()? },
        at: columns.time()?,
        kind: columns.next()?,
        run_id: columns.next::<Option<i64>>()?.map(RunId),
        location: columns.next::<Option<String>>()?.and_then(|name| of_row(&name)),
        by: columns.next()?,
        facts: columns.next()?,
    })
}

/// What still runs at a location, and since when.
pub fn adopted_at(row: &Row<'_>) -> Result<AdoptedAt> {
    let mut columns = Columns::of(row);
    Ok(AdoptedAt {
        location: columns.next::<Option<String>>()?.map(|name| LocationName::new(&name)),
        running: columns.next()?,
        oldest: columns.time()?,
        newest: columns.time()?,
    })
}

/// From a start to an end, if that is known.
pub fn duration(row: &Row<'_>) -> Result<Option<SignedDuration>> {
    let mut columns = Columns::of(row);
    let (start, end) = (columns.time()?, columns.optional_time()?);
    Ok(end.map(|end| end.duration_since(start)))
}

/// A location's row, and what its executions add up to.
pub fn audited(row: &Row<'_>) -> Result<(String, Tally, Tally)> {
    let mut columns = Columns::of(row);
    Ok((columns.next()?, tally(&mut columns)?, tally(&mut columns)?))
}

fn tally(columns: &mut Columns<'_>) -> Result<Tally> {
    Ok(Tally { used: columns.factor()?, running: columns.next()?, leased: columns.next()?, waiting: columns.next()? })
}

/// A run_id and a time.
pub fn run_id_and_time(row: &Row<'_>) -> Result<(i64, Timestamp)> {
    let mut columns = Columns::of(row);
    Ok((columns.next()?, columns.time()?))
}

/// RFC 3339 in UTC with six fractional digits, always as long, so that text sorts as time does.
pub fn timestamp_text(time: Timestamp) -> String {
    format!("{time:.6}")
}
