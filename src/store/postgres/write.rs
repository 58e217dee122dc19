//! Saves what the rule decided, one statement for each kind of row.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::columns::Columns;
use super::dashboard_columns::DashboardColumns;
use super::error::classify;
use super::link::session::{Execute, Session};
use super::rows::get;
use crate::domain::admission::Plan;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{Location, LocationName, row_name};
use crate::domain::execution::priority::Priority;
use crate::domain::execution::{Details, EndReason, Execution, RunId};
use crate::domain::history::SearchField;
use crate::seeded_bug::{self, Bug};
use crate::store::StoreError;
use crate::store::decision::Decision;
use crate::store::known_profiles::Term;

/// What changes while an execution lives.
fn add_changing(columns: &mut Columns<'_>) {
    columns.add("status", Type::TEXT_ARRAY, |run| run.status.as_str());
    columns.add("start_time", Type::TIMESTAMPTZ_ARRAY, |run| run.start_time);
    columns.add_unless_default("end_time", Type::TIMESTAMPTZ_ARRAY, None, |run| run.end_time);
    columns.add_unless_default("heard_at", Type::TIMESTAMPTZ_ARRAY, None, |run| Some(run.place.as_ref()?.heard_at));
    columns.add_unless_default("noted_at", Type::TIMESTAMPTZ_ARRAY, None, |run| run.place.as_ref()?.noted_at);
    columns.add_unless_default("tell_by", Type::TIMESTAMPTZ_ARRAY, None, |run| run.place.as_ref()?.tell_by);
    columns.add_unless_default("lease_seconds", Type::INT4_ARRAY, None, |run| {
        Some(whole_seconds(run.lease.as_ref()?.seconds))
    });
    columns.add_unless_default("lease_expires_at", Type::TIMESTAMPTZ_ARRAY, None, |run| run.lease.as_ref()?.expires_at);
    columns.add_unless_default("suspect", Type::BOOL_ARRAY, false, |run| {
        run.lease.as_ref().is_some_and(|lease| lease.suspect)
    });
    columns.add_unless_default("fence", Type::INT8_ARRAY, None, |run| run.fence);
    columns.add_unless_default("stop_reason", Type::TEXT_ARRAY, None, |run| Some(run.stop.as_ref()?.reason.as_str()));
    columns.add_unless_default("stop_by", Type::TEXT_ARRAY, None, |run| run.stop.as_ref()?.by.as_deref());
    columns.add_unless_default("stop_at", Type::TIMESTAMPTZ_ARRAY, None, |run| Some(run.stop.as_ref()?.at));
    columns.add_unless_default("end_reason", Type::TEXT_ARRAY, None, |run| run.end_reason.map(EndReason::as_str));
    columns.add_unless_default("version", Type::INT8_ARRAY, 1, |run| run.version);
}

/// What stays as it was registered.
fn add_lasting(columns: &mut Columns<'_>) {
    columns.add("id", Type::UUID_ARRAY, |run| run.id);
    columns.add("repo", Type::TEXT_ARRAY, |run| run.details.repo.as_str());
    columns.add("lac", Type::TEXT_ARRAY, |run| run.details.lac.as_str());
    columns.add("stream", Type::TEXT_ARRAY, |run| run.details.stream.as_str());
    columns.add("test", Type::TEXT_ARRAY, |run| run.details.test.as_str());
    columns.add("type", Type::TEXT_ARRAY, |run| run.details.kind.as_str());
    columns.add("environment", Type::TEXT_ARRAY, |run| run.details.environment.as_str());
    columns.add("triggered_by", Type::TEXT_ARRAY, |run| run.details.triggered_by.as_str());
    columns.add("factor_millionths", Type::INT8_ARRAY, |run| run.details.factor.map(Factor::millionths));
    columns.add_unless_default("dashboard_url", Type::TEXT_ARRAY, None, |run| run.details.dashboard_url.as_deref());
    columns.add_unless_default("location", Type::TEXT_ARRAY, None, |run| {
        run.details.location.as_ref().map(LocationName::as_str)
    });
    columns.add_unless_default("extra", Type::TEXT_ARRAY, "{}", |run| run.details.extra.as_str());
    let priority = |priority: Priority| i16::from(priority.get());
    columns.add_unless_default("priority", Type::INT2_ARRAY, priority(Priority::DEFAULT), |run| priority(run.priority));
    columns.add_unless_default("queued_at", Type::TIMESTAMPTZ_ARRAY, None, |run| Some(run.place.as_ref()?.queued_at));
    columns.add_unless_default("wait_until", Type::TIMESTAMPTZ_ARRAY, None, |run| Some(run.place.as_ref()?.until));
    columns.add_unless_default("lease_token_hash", Type::TEXT_ARRAY, None, |run| {
        Some(run.lease.as_ref()?.token.0.as_str())
    });
    columns
        .add_unless_default("expected_seconds", Type::INT4_ARRAY, None, |run| run.expected_seconds.map(whole_seconds));
}

/// PostgreSQL has no unsigned numbers.
fn whole_seconds(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// Numbers for so many new executions, growing.
pub async fn draw_run_ids(client: &Session, count: usize) -> Result<Vec<RunId>, StoreError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let sql = "SELECT nextval('perfreg_run_id') FROM generate_series(1, $1)";
    let drawn = client.query(sql, &[(&(count as i64), Type::INT8)]).await.map_err(classify)?;
    drawn.iter().map(|row| get(row, 0).map(RunId)).collect()
}

/// `profiles` has that of each new execution.
pub async fn insert_executions(
    client: &Session,
    decisions: &[Decision<'_>],
    profiles: &[Uuid],
    dashboard_columns: &DashboardColumns,
) -> Result<(), StoreError> {
    let inserted: Vec<&Execution> = decisions.iter().flat_map(|decision| &decision.plan.inserted).collect();
    if inserted.is_empty() {
        return Ok(());
    }
    let run_ids: Vec<i64> =
        decisions.iter().flat_map(|decision| decision.run_ids().iter().map(|run_id| run_id.0)).collect();
    let mut columns = Columns::to_insert(inserted.clone());
    columns.add_values("run_id", Type::INT8_ARRAY, run_ids);
    columns.add_values("profile", Type::UUID_ARRAY, profiles.to_vec());
    add_lasting(&mut columns);
    add_changing(&mut columns);
    dashboard_columns.add_to(&mut columns, &inserted);
    let expression = |name: &str| match name {
        "extra" => "extra::json".to_owned(),
        _ => dashboard_columns.expression(name).unwrap_or_else(|| name.to_owned()),
    };
    let sql = format!(
        "INSERT INTO test_executions ({}, factor) SELECT {}, trim_scale(factor_millionths * 0.000001) FROM {}",
        columns.list(str::to_owned),
        columns.list(expression),
        columns.unnest(),
    );
    client.execute(&sql, &columns.parameters()).await.map(|_| ()).map_err(classify)
}

pub async fn update_executions(client: &Session, updated: &[&Execution]) -> Result<(), StoreError> {
    if updated.is_empty() {
        return Ok(());
    }
    let mut columns = Columns::to_update(updated.to_vec());
    add_changing(&mut columns);
    let set = columns.list(|name| format!("{name} = new.{name}"));
    columns.add("run_id", Type::INT8_ARRAY, |run| run.run_id.0);
    // IS TRUE fits no index of the status, so that each is found by its number: PostgreSQL takes those that wait or
    // run for a few, and would go through all of them.
    let sql = format!(
        "UPDATE test_executions AS run SET {set} FROM {}
          WHERE run.run_id = new.run_id AND (run.status IN ('queued', 'running')) IS TRUE",
        columns.unnest(),
    );
    let count = client.execute(&sql, &columns.parameters()).await.map_err(classify)?;
    if count == updated.len() as u64 {
        return Ok(());
    }
    // Only something that does not take the location's lock can have ended one of them.
    Err(StoreError::Conflict(format!(
        "{} of {} executions had already ended",
        updated.len() as u64 - count,
        updated.len()
    )))
}

/// In an order in which two servers that write the same cannot wait for each other in a circle.
pub async fn insert_profiles(client: &Session, profiles: &[(Uuid, Arc<Details>)]) -> Result<(), StoreError> {
    if profiles.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = profiles.iter().map(|(id, _)| *id).collect();
    let column = |field: SearchField| profiles.iter().map(|(_, details)| field.of(details)).collect::<Vec<_>>();
    let columns = SearchField::ALL.map(column);
    let names = SearchField::ALL.map(SearchField::as_str).join(", ");
    let sql = format!(
        "INSERT INTO perfreg_profiles (id, {names})
         SELECT id, {names} FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) WITH ORDINALITY AS new (id, {names}, position)
          ORDER BY position
         ON CONFLICT DO NOTHING"
    );
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&ids, Type::UUID_ARRAY)];
    parameters.extend(columns.iter().map(|column| (column as &(dyn ToSql + Sync), Type::TEXT_ARRAY)));
    client.execute(&sql, &parameters).await.map(|_| ()).map_err(classify)
}

pub async fn insert_terms(client: &impl Execute, terms: &[Term]) -> Result<(), StoreError> {
    if terms.is_empty() {
        return Ok(());
    }
    let column = |read: fn(&Term) -> &str| terms.iter().map(read).collect::<Vec<_>>();
    client
        .execute(
            "INSERT INTO perfreg_terms (field, term, folded)
             SELECT field, term, folded FROM unnest($1, $2, $3) WITH ORDINALITY AS new (field, term, folded, position)
              ORDER BY position
             ON CONFLICT DO NOTHING",
            &[
                (&column(|term| term.field), Type::TEXT_ARRAY),
                (&column(|term| &term.text), Type::TEXT_ARRAY),
                (&column(|term| &term.folded), Type::TEXT_ARRAY),
            ],
        )
        .await
        .map_err(classify)?;
    Ok(())
}

/// Writes the rows of the locations at which something has changed.
pub async fn save_locations(client: &Session, decisions: &[Decision<'_>]) -> Result<(), StoreError> {
    let is_lost = |plan: &&Plan| {
        seeded_bug::is(Bug::SumRepeatableRead)
            || (seeded_bug::is(Bug::LostLocationRow) && plan.inserted.is_empty() && !plan.updated.is_empty())
    };
    let changed =
        decisions.iter().map(|decision| &decision.plan).filter(|plan| plan.changes_location() && !is_lost(plan));
    save_rows(client, &changed.map(|plan| &plan.location).collect::<Vec<_>>()).await
}

/// Writes the rows of these locations, which are there.
pub async fn save_rows(client: &Session, locations: &[&Location]) -> Result<(), StoreError> {
    if locations.is_empty() {
        return Ok(());
    }
    let numbers = |read: fn(&Location) -> i64| locations.iter().copied().map(read).collect::<Vec<i64>>();
    let texts = |read: fn(&Location) -> Option<&str>| locations.iter().copied().map(read).collect::<Vec<_>>();
    let times = |read: fn(&Location) -> Option<Timestamp>| locations.iter().copied().map(read).collect::<Vec<_>>();
    client
        .execute(
            "UPDATE perfreg_locations AS location
                SET capacity_millionths = new.capacity, used_millionths = new.used, running = new.running,
                    fence = new.fence, waiting = new.waiting, leased = new.leased, version = new.version,
                    state = new.state, state_reason = new.state_reason, state_by = new.state_by,
                    state_until = new.state_until, next_due = new.next_due,
                    deleted_version = CASE WHEN new.deleted THEN new.version END
               FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
                    AS new (name, capacity, used, running, fence, waiting, leased, version, state, state_reason,
                            state_by, state_until, next_due, deleted)
              WHERE location.name = new.name",
            &[
                (&texts(|location| Some(row_name(location.name.as_ref()))), Type::TEXT_ARRAY),
                (&numbers(|location| location.capacity.millionths()), Type::INT8_ARRAY),
                (&numbers(|location| location.used.millionths()), Type::INT8_ARRAY),
                (&numbers(|location| location.running), Type::INT8_ARRAY),
                (&numbers(|location| location.fence), Type::INT8_ARRAY),
                (&numbers(|location| location.waiting), Type::INT8_ARRAY),
                (&numbers(|location| location.leased), Type::INT8_ARRAY),
                (&numbers(|location| location.version), Type::INT8_ARRAY),
                (&texts(|location| Some(location.gate.state.as_str())), Type::TEXT_ARRAY),
                (&texts(|location| location.gate.reason.as_deref()), Type::TEXT_ARRAY),
                (&texts(|location| location.gate.by.as_deref()), Type::TEXT_ARRAY),
                (&times(|location| location.gate.until), Type::TIMESTAMPTZ_ARRAY),
                (&times(|location| location.next_due), Type::TIMESTAMPTZ_ARRAY),
                (&locations.iter().map(|location| location.is_new).collect::<Vec<_>>(), Type::BOOL_ARRAY),
            ],
        )
        .await
        .map(|_| ())
        .map_err(classify)
}

/// Forgets a location that was only asked for.
pub async fn remove_location(client: &Session, name: Option<&str>) -> Result<(), StoreError> {
    let Some(name) = name else { return Ok(()) };
    // One that was ever changed has another version.
    let sql = "DELETE FROM perfreg_locations WHERE name = $1 AND version = 0";
    client.execute(sql, &[(&name, Type::TEXT)]).await.map(|_| ()).map_err(classify)
}
