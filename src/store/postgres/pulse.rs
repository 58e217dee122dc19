//! Writes down that the registry is there.

use deadpool_postgres::Object;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::error::{classify, classify_commit};
use super::events;
use super::rows::{self, get};
use super::timeline::{self, Timelines};
use crate::domain::continuity::{Continuity, Pulse};
use crate::store::{Known, StoreError};

/// `now` is a simulated time; a real one is the database's.
pub async fn pulse(
    client: &mut Object,
    timelines: &Timelines,
    known: &Known,
    now: Option<Timestamp>,
) -> Result<Pulse, StoreError> {
    let sql = format!(
        "SELECT {}, coalesce($1, clock_timestamp()),
                NOT EXISTS (SELECT FROM perfreg_locations WHERE next_due IS NOT NULL AND waiting + leased > 0), {}
           FROM perfreg_registry WHERE id = 1",
        rows::CONTINUITY_COLUMNS,
        timelines.columns()
    );
    let row = client.query_typed_one(&sql, &[(&now, Type::TIMESTAMPTZ)]).await.map_err(classify)?;
    if let Some(new) = timelines.new_one(&row, 5, known)? {
        timeline::enter(client, new, now).await?;
    }
    let nothing = |continuity| Pulse { continuity, event: None };
    if ask_rule(&row)?.is_none() {
        return Ok(nothing(rows::continuity(&row)?));
    }
    // It is saved as everything else is, so that a pulse says that decisions could be saved as well.
    let transaction = client.transaction().await.map_err(classify)?;
    // Whoever holds the row is another server's pulse, which does as well.
    let locked = format!("{sql} FOR UPDATE OF perfreg_registry SKIP LOCKED");
    let found = transaction.query_typed_opt(&locked, &[(&now, Type::TIMESTAMPTZ)]).await.map_err(classify)?;
    let Some(row) = found else { return Ok(nothing(rows::continuity(&row)?)) };
    let Some(pulse) = ask_rule(&row)? else { return Ok(nothing(rows::continuity(&row)?)) };
    let Continuity { pulse_at, resumed_at, .. } = pulse.continuity;
    transaction
        .execute_typed(
            "UPDATE perfreg_registry SET pulse_at = $1, resumed_at = $2 WHERE id = 1",
            &[(&pulse_at, Type::TIMESTAMPTZ), (&resumed_at, Type::TIMESTAMPTZ)],
        )
        .await
        .map_err(classify)?;
    let saved: Vec<_> = pulse.event.iter().map(|event| (event, None)).collect();
    events::insert(transaction.client(), &saved, get(&row, 3)?).await?;
    transaction.commit().await.map_err(classify_commit)?;
    Ok(pulse)
}

fn ask_rule(row: &Row) -> Result<Option<Pulse>, StoreError> {
    Ok(rows::continuity(row)?.pulse(get(row, 4)?, get(row, 3)?))
}
