//! Makes one location of two.

use tokio_postgres::types::Type;

use super::context::Context;
use super::error::classify;
use super::events;
use super::link::session::{Execute, Session};
use super::locations::in_time;
use super::locking;
use super::reading;
use super::transaction::{LONGEST_LOCK_WAIT, begin, commit, now};
use super::write;
use crate::domain::capacity::location::Location;
use crate::domain::execution::Execution;
use crate::store::merging::{self, both};
use crate::store::{Merge, Merged, StoreError};

/// A connection on which this fails is in the middle of a transaction and must be closed.
pub async fn merge(client: &mut Session, merge: &Merge, context: &Context<'_>) -> Result<Option<Merged>, StoreError> {
    client.name_statements().await.map_err(classify)?;
    let saved = in_time(save(client, merge, context)).await?;
    if saved.is_some() {
        commit(client, context.standby).await?;
    } else {
        in_time(async { client.batch_execute("ROLLBACK").await.map_err(classify) }).await?;
    }
    Ok(saved)
}

async fn save(client: &Session, merge: &Merge, context: &Context<'_>) -> Result<Option<Merged>, StoreError> {
    begin(client, LONGEST_LOCK_WAIT, context.standby).await?;
    let names = [merge.from.as_str(), merge.into.as_str()];
    let locked: Vec<Location> = locking::rows(client, &names, true).await?.into_values().collect();
    let now = now(client, context.clock.simulated_now(), context.standby).await?;
    let Some((from, into)) = both(merge, &locked) else { return Ok(None) };
    let (deleted, merged) = from.merged(into);
    let runs: Vec<Execution> =
        reading::unended_at(client, &merge.from).await?.iter().map(|run| run.moved_to(&merge.into)).collect();
    write_moved(client, &runs, context).await?;
    write::save_rows(client, &[&deleted, &merged]).await?;
    let noted = merging::events(merge, from, &merged, &runs);
    events::insert(client, &noted.iter().map(|(event, place)| (event, Some(*place))).collect::<Vec<_>>(), now).await?;
    Ok(Some(Merged { location: merged, moved: runs.iter().map(|run| run.run_id).collect() }))
}

async fn write_moved(client: &Session, runs: &[Execution], context: &Context<'_>) -> Result<(), StoreError> {
    let profiles = context.known.profiles.of(&runs.iter().collect::<Vec<_>>());
    let run_ids: Vec<i64> = runs.iter().map(|run| run.run_id.0).collect();
    let versions: Vec<i64> = runs.iter().map(|run| run.version).collect();
    let Some(location) = runs.first().and_then(|run| run.details.location.as_ref()) else { return Ok(()) };
    client
        .execute(
            "UPDATE test_executions AS run SET location = $1, profile = new.profile, version = new.version
               FROM unnest($2, $3, $4) AS new (run_id, profile, version) WHERE run.run_id = new.run_id",
            &[
                (&location.as_str(), Type::TEXT),
                (&run_ids, Type::INT8_ARRAY),
                (&profiles.ids, Type::UUID_ARRAY),
                (&versions, Type::INT8_ARRAY),
            ],
        )
        .await
        .map_err(classify)?;
    write::insert_profiles(client, &profiles.unknown.profiles).await?;
    write::insert_terms(client, &profiles.unknown.terms).await
}
