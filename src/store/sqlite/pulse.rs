//! Writes down that the registry is there.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

use super::connection::{classify, classify_commit};
use super::events;
use super::rows::{self, timestamp_text};
use crate::domain::continuity::{Continuity, Pulse};
use crate::store::StoreError;

/// What there is to write, if anything.
pub fn due(connection: &Connection, now: Timestamp) -> Result<(Continuity, Option<Pulse>), StoreError> {
    let sql = format!(
        "SELECT {}, NOT EXISTS (SELECT 1 FROM perfreg_locations WHERE next_due IS NOT NULL AND waiting + leased > 0)
           FROM perfreg_registry WHERE id = 1",
        rows::CONTINUITY_COLUMNS
    );
    let read = |row: &rusqlite::Row<'_>| Ok((rows::continuity(row)?, row.get(3)?));
    let (continuity, is_idle) =
        connection.prepare_cached(&sql).and_then(|mut select| select.query_row([], read)).map_err(classify)?;
    Ok((continuity, continuity.pulse(is_idle, now)))
}

pub fn write(connection: &mut Connection, now: Timestamp) -> Result<Pulse, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    let pulse = match due(&transaction, now)? {
        (continuity, None) => return Ok(Pulse { continuity, event: None }),
        (_, Some(pulse)) => pulse,
    };
    let Continuity { pulse_at, resumed_at, .. } = pulse.continuity;
    transaction
        .execute(
            "UPDATE perfreg_registry SET pulse_at = ?1, resumed_at = ?2 WHERE id = 1",
            params![pulse_at.map(timestamp_text), resumed_at.map(timestamp_text)],
        )
        .map_err(classify)?;
    events::insert(&transaction, pulse.event.as_slice(), None, now).map_err(classify)?;
    transaction.commit().map_err(classify_commit)?;
    Ok(pulse)
}
