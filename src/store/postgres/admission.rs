//! Locks the locations, asks the rule, saves its plans, commits.
//!
//! What does not need the answer to something else is sent together with it, so that most
//! transactions cost two round trips: lock and read, save and commit.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use tokio::time::timeout;
use tokio::{join, try_join};
use uuid::Uuid;

use super::context::Context;
use super::dashboard_columns::DashboardColumns;
use super::error::classify;
use super::events;
use super::failover::standby::Standby;
use super::failover::timeline;
use super::idempotency;
use super::link::connection::ANSWER_TIMEOUT;
use super::link::session::Session;
use super::locking::{Lock, Locked, lock, name};
use super::reading;
use super::transaction::commit;
use super::write;
use crate::domain::admission::{Command, Plan, Snapshot, decide as ask_rule};
use crate::domain::capacity::location::Location;
use crate::domain::execution::{Execution, RunId};
use crate::domain::schedule::holders::Holders;
use crate::domain::schedule::roster::Roster;
use crate::seeded_bug::{self, Bug};
use crate::store::decision::{Decision, conclude};
use crate::store::known_profiles::Profiles;
use crate::store::{Batch, Decided, Known, Lane, StoreError};

/// New rows fill the dashboards' columns. A connection on which this fails is in the middle of a transaction and must be
/// closed.
pub async fn decide(
    client: &mut Session,
    batch: &Batch,
    context: &Context<'_>,
    dashboard_columns: &DashboardColumns,
) -> Result<Decided, StoreError> {
    let Context { known, standby, .. } = *context;
    let silent = |_| StoreError::Unavailable(format!("no answer within {ANSWER_TIMEOUT:?}"));
    let deciding = decide_where_it_is(client, batch, context);
    let Undecided { decisions, unused, now } = timeout(ANSWER_TIMEOUT, deciding).await.map_err(silent)??;
    // Whoever is promised what an earlier transaction has saved waits for a commit as well: one whose answer was
    // lost may be here and not yet on the standby, and this one, which has locked a row, is there no sooner.
    let promises = |lane: &Lane| lane.commands.iter().any(Command::is_promised);
    if decisions.iter().any(|decision| decision.plan.changes_anything() || promises(decision.lane)) {
        let inserted: Vec<&Execution> = decisions.iter().flat_map(|decision| &decision.plan.inserted).collect();
        let profiles = known.profiles.of(&inserted);
        let saved = Saved { decisions: &decisions, profiles: &profiles, unused, now, dashboard_columns };
        Box::pin(save(client, saved, standby)).await?;
        if seeded_bug::is(Bug::KeyOutsideTransaction) {
            let _ = idempotency::insert(client, &idempotency::first_answers(&decisions), now).await;
        }
        known.profiles.remember(&profiles.unknown);
    } else {
        // Also where the first location is held by others, and so nothing is decided.
        timeout(ANSWER_TIMEOUT, client.batch_execute("ROLLBACK")).await.map_err(silent)?.map_err(classify)?;
    }
    Ok(conclude(batch, decisions, known))
}

/// What is to be saved, if anything is.
struct Undecided<'batch> {
    decisions: Vec<Decision<'batch>>,
    /// The row that was made for this batch and that it does not need.
    unused: Option<&'batch str>,
    now: Timestamp,
}

/// Decides on the timeline that there is, which is entered first if it is a new one.
async fn decide_where_it_is<'batch>(
    client: &mut Session,
    batch: &'batch Batch,
    context: &Context<'_>,
) -> Result<Undecided<'batch>, StoreError> {
    client.name_statements().await.map_err(classify)?;
    let new_timeline = match lock(client, batch, context).await? {
        Lock::Promoted(timeline) => timeline,
        locked => return decide_lanes(client, batch, context.known, locked).await,
    };
    client.batch_execute("ROLLBACK").await.map_err(classify)?;
    timeline::enter(client, new_timeline, context.clock.simulated_now()).await?;
    let locked = lock(client, batch, context).await?;
    decide_lanes(client, batch, context.known, locked).await
}

async fn decide_lanes<'batch>(
    client: &Session,
    batch: &'batch Batch,
    known: &Known,
    locked: Lock<'batch>,
) -> Result<Undecided<'batch>, StoreError> {
    let mut locked = match locked {
        Lock::Locked(locked) => locked,
        Lock::Held => return Ok(Undecided { decisions: Vec::new(), unused: None, now: Timestamp::UNIX_EPOCH }),
        Lock::Promoted(_) => return Err(StoreError::Conflict("another server has taken over again".to_owned())),
    };
    let (lanes, now, made) = (locked.lanes.clone(), locked.now, locked.made);
    let mut run_ids = std::mem::take(&mut locked.run_ids);
    let snapshots = snapshots(client, *locked, batch.is_retry, known).await?;
    let plans: Vec<Plan> =
        lanes.iter().zip(snapshots).map(|(lane, snapshot)| ask_rule(snapshot, &lane.commands, now)).collect();
    let inserted: usize = plans.iter().map(Plan::unnumbered).sum();
    run_ids.extend(write::draw_run_ids(client, inserted.saturating_sub(run_ids.len())).await?);
    let decide = |(lane, plan): (&'batch Lane, Plan)| {
        let run_ids = run_ids.drain(..plan.unnumbered()).collect();
        Decision::new(lane, plan, run_ids)
    };
    let decisions: Vec<Decision> = lanes.into_iter().zip(plans).map(decide).collect();
    let is_unused = |made: &&str| {
        decisions.iter().any(|decision| name(decision.lane) == *made && !decision.plan.changes_location())
    };
    let unused = made.filter(is_unused);
    Ok(Undecided { decisions, unused, now })
}

/// What the rule has to see, for each lane.
async fn snapshots(
    client: &Session,
    locked: Locked<'_>,
    is_retry: bool,
    known: &Known,
) -> Result<Vec<Snapshot>, StoreError> {
    let Locked { lanes, locations, registry, continuity, now, mut named, .. } = locked;
    let rosters: Vec<Option<Roster>> = locations.iter().map(|location| known.rosters.take(location)).collect();
    let unread: Vec<&Location> =
        locations.iter().zip(&rosters).filter(|(_, roster)| roster.is_none()).map(|(location, _)| location).collect();
    let not_read: Vec<i64> = lanes
        .iter()
        .zip(&rosters)
        .flat_map(|(lane, roster)| lane.commands.iter().filter_map(Command::run_id).map(move |run_id| (run_id, roster)))
        .filter(|(run_id, roster)| {
            !named.contains_key(run_id) && roster.as_ref().is_none_or(|roster| roster.get(*run_id).is_none())
        })
        .map(|(run_id, _)| run_id.0)
        .collect();
    let before = if is_retry { registered(&lanes) } else { Vec::new() };
    let (mut present, more, mut saved, first_answers) = try_join!(
        reading::present(client, &unread),
        reading::by_run_id(client, &not_read),
        reading::by_id(client, &before),
        idempotency::find(client, lanes.iter().flat_map(|lane| &lane.commands), now),
    )?;
    named.extend(more);
    let mut snapshots = Vec::with_capacity(lanes.len());
    for ((lane, location), roster) in lanes.iter().zip(locations).zip(rosters) {
        let roster = roster.unwrap_or_else(|| Roster::new(present.remove(&location.name).unwrap_or_default()));
        let keys = lane.commands.iter().filter_map(Command::key);
        snapshots.push(Snapshot {
            named: named_by(lane, &mut named, &mut saved),
            first_answers: keys.filter_map(|key| first_answers.get(&key.hash).cloned()).collect(),
            registry: registry.clone(),
            continuity,
            location,
            roster,
        });
    }
    add_holders(client, &lanes, &mut snapshots, now).await?;
    Ok(snapshots)
}

/// The ids of the registrations.
fn registered(lanes: &[&Lane]) -> Vec<Uuid> {
    let id = |command: &Command| match command {
        Command::Register(registration) => Some(registration.id),
        _ => None,
    };
    lanes.iter().flat_map(|lane| &lane.commands).filter_map(id).collect()
}

/// Takes out the executions that the lane's commands name.
fn named_by(
    lane: &Lane,
    named: &mut HashMap<RunId, Execution>,
    saved: &mut HashMap<Uuid, Execution>,
) -> Vec<Execution> {
    let one = |command: &Command| match command {
        Command::Register(registration) => saved.remove(&registration.id),
        command => named.remove(&command.run_id()?),
    };
    lane.commands.iter().filter_map(one).collect()
}

async fn add_holders(
    client: &Session,
    lanes: &[&Lane],
    snapshots: &mut [Snapshot],
    now: Timestamp,
) -> Result<(), StoreError> {
    let lacking = lanes.iter().zip(snapshots).filter_map(|(lane, snapshot)| {
        let count = snapshot.lacks_holders(&lane.commands, now)?;
        Some(async move {
            let holders = reading::holders(client, &snapshot.location, count).await?;
            snapshot.roster.set_holders(Holders::new(holders, snapshot.location.running));
            Ok(())
        })
    });
    try_join_all(lacking).await.map(|_| ())
}

/// What is to be written, and what with.
struct Saved<'decision> {
    decisions: &'decision [Decision<'decision>],
    profiles: &'decision Profiles,
    unused: Option<&'decision str>,
    now: Timestamp,
    dashboard_columns: &'decision DashboardColumns,
}

/// Saves everything and commits.
async fn save(client: &Session, saved: Saved<'_>, standby: &Standby) -> Result<(), StoreError> {
    let Saved { decisions, profiles, unused, now, dashboard_columns } = saved;
    let updated: Vec<&Execution> = decisions.iter().flat_map(|decision| &decision.plan.updated).collect();
    let mut first_answers = idempotency::first_answers(decisions);
    first_answers.retain(|_| !seeded_bug::is(Bug::KeyOutsideTransaction));
    // Sent together, so that the server has the next while it does the one before. Each sends one
    // statement at the most, since a second would come after the commit.
    let writing = Box::pin(async {
        let (inserted, updated, profiles, terms, noted, answered, counted, removed) = join!(
            biased;
            write::insert_executions(client, decisions, &profiles.ids, dashboard_columns),
            write::update_executions(client, &updated),
            write::insert_profiles(client, &profiles.unknown.profiles),
            write::insert_terms(client, &profiles.unknown.terms),
            events::insert_all(client, decisions, now),
            idempotency::insert(client, &first_answers, now),
            write::save_locations(client, decisions),
            write::remove_location(client, unused),
        );
        // The first error tells why, whichever is heard of first; those after it only say that the transaction has failed.
        inserted.and(updated).and(profiles).and(terms).and(noted).and(answered).and(counted).and(removed)
    });
    let writing = async {
        let silent = |_| StoreError::Unavailable(format!("no answer within {ANSWER_TIMEOUT:?}"));
        timeout(ANSWER_TIMEOUT, writing).await.map_err(silent)?
    };
    if updated.is_empty() && first_answers.is_empty() {
        // Nothing has to be looked at before the commit, which after an error only rolls back.
        let (written, committed) = join!(biased; writing, commit(client, standby));
        return match written.and(committed) {
            Err(StoreError::Unavailable(reason)) => Err(StoreError::CommitUnknown(reason)),
            result => result,
        };
    }
    writing.await?;
    commit(client, standby).await
}
