//! Writes down that the registry is there.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use crate::domain::continuity::{Continuity, Pulse};
use crate::store::StoreError;
use crate::store::postgres::context::Context;
use crate::store::postgres::error::classify;
use crate::store::postgres::events;
use crate::store::postgres::failover::standby::IS_SET;
use crate::store::postgres::failover::timeline;
use crate::store::postgres::link::session::Session;
use crate::store::postgres::rows::{self, get};
use crate::store::postgres::transaction::{LONGEST_LOCK_WAIT, begin, commit};

/// A connection on which this fails is in the middle of a transaction and must be closed.
///
/// A pulse is saved as decisions are, and not at all where they would be refused: whoever cannot beat because
/// of that is not given up for it either.
pub async fn pulse(client: &mut Session, context: &Context<'_>) -> Result<Pulse, StoreError> {
    let Context { clock, known, timelines, standby, .. } = *context;
    let now = clock.simulated_now();
    // By itself, since whoever locks locations and the registry's row locks the locations first.
    let idle = "SELECT NOT EXISTS (SELECT FROM perfreg_locations WHERE next_due IS NOT NULL AND waiting + leased > 0)";
    let is_idle: bool = get(&client.query_typed_one(idle, &[]).await.map_err(classify)?, 0)?;
    let sql = format!(
        "SELECT {}, coalesce($1, clock_timestamp()), {}, {IS_SET} FROM perfreg_registry WHERE id = 1",
        rows::CONTINUITY_COLUMNS,
        timelines.columns()
    );
    let row = client.query_typed_one(&sql, &[(&now, Type::TIMESTAMPTZ)]).await.map_err(classify)?;
    standby.note(get(&row, 6)?)?;
    if let Some(new) = timelines.new_one(&row, 4, known)? {
        timeline::enter(client, new, now).await?;
    }
    let nothing = Pulse { continuity: rows::continuity(&row)?, event: None };
    if ask_rule(&row, is_idle)?.is_none() {
        return Ok(nothing);
    }
    begin(client, LONGEST_LOCK_WAIT, standby).await?;
    // Whoever holds the row is another server's pulse, which does as well.
    let locked = format!("{sql} FOR UPDATE SKIP LOCKED");
    let row = client.query_typed_opt(&locked, &[(&now, Type::TIMESTAMPTZ)]).await.map_err(classify)?;
    let pulse = match row {
        Some(row) => save(client, &row, is_idle).await?,
        None => None,
    };
    commit(client, standby).await?;
    Ok(pulse.unwrap_or(nothing))
}

/// Saves what there is to write, if anything.
async fn save(client: &Client, row: &Row, is_idle: bool) -> Result<Option<Pulse>, StoreError> {
    let Some(pulse) = ask_rule(row, is_idle)? else { return Ok(None) };
    let Continuity { pulse_at, resumed_at, .. } = pulse.continuity;
    client
        .execute_typed(
            "UPDATE perfreg_registry SET pulse_at = $1, resumed_at = $2 WHERE id = 1",
            &[(&pulse_at, Type::TIMESTAMPTZ), (&resumed_at, Type::TIMESTAMPTZ)],
        )
        .await
        .map_err(classify)?;
    let events: Vec<_> = pulse.event.iter().map(|event| (event, None)).collect();
    events::insert(client, &events, get(row, 3)?).await?;
    Ok(Some(pulse))
}

fn ask_rule(row: &Row, is_idle: bool) -> Result<Option<Pulse>, StoreError> {
    Ok(rows::continuity(row)?.pulse(is_idle, get(row, 3)?))
}
