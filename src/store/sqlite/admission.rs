//! Locks the location, asks the rule, saves its plan, commits.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use super::connection::{classify, classify_commit};
use super::events;
use super::idempotency;
use super::rows::{self, timestamp_text};
use crate::clock::Clock;
use crate::domain::admission::{Command, Plan, Snapshot, decide as ask_rule};
use crate::domain::answer::Holder;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{Location, LocationName, row_name};
use crate::domain::continuity::Continuity;
use crate::domain::execution::{EndReason, Execution, RunId};
use crate::domain::gate::Gate;
use crate::domain::history::SearchField;
use crate::domain::schedule::holders::Holders;
use crate::domain::schedule::roster::Roster;
use crate::store::decision::{Decision, conclude};
use crate::store::known_profiles::{Profiles, Unknown};
use crate::store::{Batch, Decided, Known, Lane, StoreError};

pub fn decide(connection: &mut Connection, batch: &Batch, clock: &Clock, known: &Known) -> Result<Decided, StoreError> {
    // IMMEDIATE takes the write lock of the whole file before anything is read.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    let registry = registry(&transaction).map_err(classify)?;
    let now = clock.now();
    let mut decisions = Vec::with_capacity(batch.lanes.len());
    let mut new_profiles = Vec::new();
    for lane in &batch.lanes {
        let (decision, unknown) = decide_lane(&transaction, lane, batch.is_retry, &registry, now, known)?;
        decisions.push(decision);
        new_profiles.push(unknown);
    }
    if decisions.iter().any(|decision| decision.plan.changes_anything()) {
        transaction.commit().map_err(classify_commit)?;
        for unknown in &new_profiles {
            known.profiles.remember(unknown);
        }
    }
    Ok(conclude(batch, decisions, known))
}

/// Gives the profiles as well that it had to write.
fn decide_lane<'batch>(
    transaction: &Transaction<'_>,
    lane: &'batch Lane,
    is_retry: bool,
    (continuity, registry): &(Continuity, Gate),
    now: Timestamp,
    known: &Known,
) -> Result<(Decision<'batch>, Unknown), StoreError> {
    let location = location(transaction, lane).map_err(classify)?;
    let roster = match known.rosters.take(&location) {
        Some(roster) => roster,
        None => roster(transaction, &location).map_err(classify)?,
    };
    let mut snapshot = Snapshot {
        named: named(transaction, lane, is_retry, &roster).map_err(classify)?,
        first_answers: idempotency::find(transaction, &lane.commands, now)?,
        registry: registry.clone(),
        continuity: *continuity,
        location,
        roster,
    };
    if let Some(count) = snapshot.lacks_holders(&lane.commands, now) {
        let holders = holders(transaction, lane, count).map_err(classify)?;
        snapshot.roster.set_holders(Holders::new(holders, snapshot.location.running));
    }
    let plan = ask_rule(snapshot, &lane.commands, now);
    let profiles = known.profiles.of(&plan.inserted.iter().collect::<Vec<_>>());
    let decision = save(transaction, lane, plan, &profiles, now).map_err(classify)?;
    idempotency::insert(transaction, &lane.commands, &decision.answers, now)?;
    Ok((decision, profiles.unknown))
}

fn save<'batch>(
    transaction: &Transaction<'_>,
    lane: &'batch Lane,
    plan: Plan,
    profiles: &Profiles,
    now: Timestamp,
) -> rusqlite::Result<Decision<'batch>> {
    let run_ids = insert_executions(transaction, &plan, &profiles.ids)?;
    update_executions(transaction, &plan.updated)?;
    insert_profiles(transaction, &profiles.unknown)?;
    let decision = Decision::new(lane, plan, run_ids);
    events::insert(transaction, &decision.events, Some(name(lane)), now)?;
    if decision.plan.changes_location() {
        save_location(transaction, &decision.plan.location)?;
    }
    Ok(decision)
}

fn name(lane: &Lane) -> &str {
    row_name(lane.location.as_ref())
}

fn registry(transaction: &Transaction<'_>) -> rusqlite::Result<(Continuity, Gate)> {
    let sql = format!("SELECT {}, {} FROM perfreg_registry WHERE id = 1", rows::CONTINUITY_COLUMNS, rows::GATE_COLUMNS);
    transaction.prepare_cached(&sql)?.query_row([], rows::registry)
}

fn location(transaction: &Transaction<'_>, lane: &Lane) -> rusqlite::Result<Location> {
    Ok(row(transaction, name(lane))?.unwrap_or_else(|| Location::unused(lane.location.clone())))
}

/// A location's row, also if the location is deleted.
pub fn row(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<Location>> {
    let sql = format!("SELECT {} FROM perfreg_locations WHERE name = ?1", rows::LOCATION_COLUMNS);
    transaction.prepare_cached(&sql)?.query_row([name], rows::location).optional()
}

/// Everybody who waits there or runs there with a lease.
fn roster(transaction: &Transaction<'_>, location: &Location) -> rusqlite::Result<Roster> {
    let here = if location.name.is_some() { "location = ?1" } else { "location IS NULL AND ?1 = ''" };
    let mut found = Vec::new();
    for (count, condition) in
        [(location.waiting, "status = 'queued'"), (location.leased, "status = 'running' AND lease_seconds IS NOT NULL")]
    {
        if count > 0 {
            let sql = format!("SELECT {} FROM test_executions WHERE {condition} AND {here}", rows::EXECUTION_COLUMNS);
            let mut statement = transaction.prepare_cached(&sql)?;
            for execution in statement.query_map([row_name(location.name.as_ref())], rows::execution)? {
                found.push(execution?);
            }
        }
    }
    Ok(Roster::new(found))
}

/// Whom the commands name and the roster does not have, and what an earlier attempt has saved.
fn named(
    transaction: &Transaction<'_>,
    lane: &Lane,
    is_retry: bool,
    roster: &Roster,
) -> rusqlite::Result<Vec<Execution>> {
    let select = |key: &str| format!("SELECT {} FROM test_executions WHERE {key} = ?1", rows::EXECUTION_COLUMNS);
    let (by_run_id, by_id) = (select("run_id"), select("id"));
    let mut found = Vec::new();
    for command in &lane.commands {
        let (sql, key) = match command {
            Command::Register(registration) if is_retry => (&by_id, Value::from(registration.id.to_string())),
            command => match command.run_id() {
                Some(run_id) if roster.get(run_id).is_none() => (&by_run_id, Value::from(run_id.0)),
                _ => continue,
            },
        };
        found.extend(transaction.prepare_cached(sql)?.query_row([key], rows::execution).optional()?);
    }
    Ok(found)
}

/// The first of those who run there, at most so many.
fn holders(transaction: &Transaction<'_>, lane: &Lane, most: usize) -> rusqlite::Result<Vec<Holder>> {
    let sql = format!(
        "SELECT {} FROM test_executions WHERE status = 'running' AND location = ?1
          ORDER BY coalesce(factor_millionths, 0) DESC, start_time, run_id LIMIT ?2",
        rows::HOLDER_COLUMNS
    );
    transaction.prepare_cached(&sql)?.query_map(params![name(lane), most as i64], rows::holder)?.collect()
}

/// Gives the numbers that the database drew.
fn insert_executions(transaction: &Transaction<'_>, plan: &Plan, profiles: &[Uuid]) -> rusqlite::Result<Vec<RunId>> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO test_executions (id, repo, lac, stream, test, type, environment, triggered_by, factor_millionths,
                                      dashboard_url, location, extra, status, start_time, end_time, priority, queued_at,
                                      wait_until, heard_at, lease_seconds, lease_token_hash, lease_expires_at, suspect,
                                      fence, stop_reason, stop_by, stop_at, end_reason, expected_seconds, version,
                                      profile, run_id, tell_by, noted_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
                 ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34)",
    )?;
    let one = |(index, (run, profile)): (usize, (&Execution, &Uuid))| {
        let own_run_id = (index >= plan.unnumbered()).then_some(run.run_id.0);
        let (details, place, lease, stop) = (&run.details, run.place.as_ref(), run.lease.as_ref(), run.stop.as_ref());
        // A RETURNING clause would keep the number in a table of its own first.
        insert
            .insert(params![
                run.id.to_string(),
                details.repo,
                details.lac,
                details.stream,
                details.test,
                details.kind,
                details.environment,
                details.triggered_by,
                details.factor.map(Factor::millionths),
                details.dashboard_url,
                details.location.as_ref().map(LocationName::as_str),
                details.extra,
                run.status.as_str(),
                timestamp_text(run.start_time),
                run.end_time.map(timestamp_text),
                run.priority.get(),
                place.map(|place| timestamp_text(place.queued_at)),
                place.map(|place| timestamp_text(place.until)),
                place.map(|place| timestamp_text(place.heard_at)),
                lease.map(|lease| lease.seconds),
                lease.map(|lease| &lease.token.0),
                lease.and_then(|lease| lease.expires_at).map(timestamp_text),
                lease.is_some_and(|lease| lease.suspect),
                run.fence,
                stop.map(|stop| &stop.reason),
                stop.and_then(|stop| stop.by.as_ref()),
                stop.map(|stop| timestamp_text(stop.at)),
                run.end_reason.map(EndReason::as_str),
                run.expected_seconds,
                run.version,
                profile,
                own_run_id,
                tell_by(run),
                noted_at(run),
            ])
            .map(RunId)
    };
    let mut run_ids: Vec<RunId> = plan.inserted.iter().zip(profiles).enumerate().map(one).collect::<Result<_, _>>()?;
    run_ids.truncate(plan.unnumbered());
    Ok(run_ids)
}

fn update_executions(transaction: &Transaction<'_>, updated: &[Execution]) -> rusqlite::Result<()> {
    for run in updated {
        if run.end_time.is_some() || !renew(transaction, run)? {
            update(transaction, run)?;
        }
    }
    Ok(())
}

/// Writes what a heartbeat changes, if nothing else has changed: SQLite writes the entries of every
/// index anew that has a column which is set, even to what it was. Says whether that was all.
fn renew(transaction: &Transaction<'_>, run: &Execution) -> rusqlite::Result<bool> {
    let (lease, stop) = (run.lease.as_ref(), run.stop.as_ref());
    let mut renew = transaction.prepare_cached(
        "UPDATE test_executions SET heard_at = ?2, lease_expires_at = ?3, suspect = ?4, version = ?5, noted_at = ?15
          WHERE run_id = ?1 AND status = ?6 AND start_time = ?7 AND end_time IS NULL AND fence IS ?8 AND stop_reason IS ?9
            AND stop_by IS ?10 AND stop_at IS ?11 AND end_reason IS ?12 AND tell_by IS ?13 AND lease_seconds IS ?14",
    )?;
    let count = renew.execute(params![
        run.run_id.0,
        run.place.as_ref().map(|place| timestamp_text(place.heard_at)),
        lease.and_then(|lease| lease.expires_at).map(timestamp_text),
        lease.is_some_and(|lease| lease.suspect),
        run.version,
        run.status.as_str(),
        timestamp_text(run.start_time),
        run.fence,
        stop.map(|stop| &stop.reason),
        stop.and_then(|stop| stop.by.as_ref()),
        stop.map(|stop| timestamp_text(stop.at)),
        run.end_reason.map(EndReason::as_str),
        tell_by(run),
        lease.map(|lease| lease.seconds),
        noted_at(run),
    ])?;
    Ok(count == 1)
}

fn update(transaction: &Transaction<'_>, run: &Execution) -> rusqlite::Result<usize> {
    let (lease, stop) = (run.lease.as_ref(), run.stop.as_ref());
    transaction
        .prepare_cached(
            "UPDATE test_executions
                SET status = ?2, start_time = ?3, end_time = ?4, heard_at = ?5, lease_expires_at = ?6, suspect = ?7, fence = ?8,
                    stop_reason = ?9, stop_by = ?10, stop_at = ?11, end_reason = ?12, version = ?13, tell_by = ?14,
                    lease_seconds = ?15, noted_at = ?16
              WHERE run_id = ?1",
        )?
        .execute(params![
            run.run_id.0,
            run.status.as_str(),
            timestamp_text(run.start_time),
            run.end_time.map(timestamp_text),
            run.place.as_ref().map(|place| timestamp_text(place.heard_at)),
            lease.and_then(|lease| lease.expires_at).map(timestamp_text),
            lease.is_some_and(|lease| lease.suspect),
            run.fence,
            stop.map(|stop| &stop.reason),
            stop.and_then(|stop| stop.by.as_ref()),
            stop.map(|stop| timestamp_text(stop.at)),
            run.end_reason.map(EndReason::as_str),
            run.version,
            tell_by(run),
            lease.map(|lease| lease.seconds),
            noted_at(run),
        ])
}

fn noted_at(run: &Execution) -> Option<String> {
    run.place.as_ref().and_then(|place| place.noted_at).map(timestamp_text)
}

fn tell_by(run: &Execution) -> Option<String> {
    run.place.as_ref().and_then(|place| place.tell_by).map(timestamp_text)
}

pub fn insert_profiles(transaction: &Transaction<'_>, unknown: &Unknown) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO perfreg_profiles (id, repo, lac, stream, test, type, environment, triggered_by, location)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
    )?;
    for (id, details) in &unknown.profiles {
        let [repo, lac, stream, test, kind, environment, by, location] =
            SearchField::ALL.map(|field| field.of(details));
        insert.execute(params![id, repo, lac, stream, test, kind, environment, by, location])?;
    }
    let mut insert = transaction
        .prepare_cached("INSERT INTO perfreg_terms (field, term, folded) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    for term in &unknown.terms {
        insert.execute(params![term.field, term.text, term.folded])?;
    }
    Ok(())
}

pub fn save_location(transaction: &Transaction<'_>, location: &Location) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence, waiting, leased,
                                            state, state_reason, state_by, state_until, next_due, version,
                                            deleted_version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
             ON CONFLICT (name) DO UPDATE SET capacity_millionths = ?2, used_millionths = ?3, running = ?4, fence = ?5,
                 waiting = ?6, leased = ?7, state = ?8, state_reason = ?9, state_by = ?10, state_until = ?11, next_due = ?12,
                 version = ?13, deleted_version = ?14",
        )?
        .execute(params![
            row_name(location.name.as_ref()),
            location.capacity.millionths(),
            location.used.millionths(),
            location.running,
            location.fence,
            location.waiting,
            location.leased,
            location.gate.state.as_str(),
            location.gate.reason,
            location.gate.by,
            location.gate.until.map(timestamp_text),
            location.next_due.map(timestamp_text),
            location.version,
            location.is_new.then_some(location.version),
        ])
        .map(|_| ())
}
