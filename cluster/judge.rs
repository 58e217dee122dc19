//! Compares what the clients were told with what the database has in the end.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use tokio_postgres::Client;

use crate::evidence::{Admission, Evidence};

#[derive(Debug, Default)]
pub struct Verdict {
    /// Admissions and ends that were acknowledged and are not there.
    pub lost: usize,
    /// run_ids and fences that were given to two.
    pub repeated: usize,
    /// Locations whose row is not what runs there.
    pub wrong_rows: i64,
    /// Runs that the database had lost and that it has again.
    pub taken_back: i64,
}

pub async fn judge(database: &Client, evidence: &Evidence, seen_elsewhere: &[Admission]) -> Result<Verdict> {
    let rows = database.query("SELECT run_id, id::text, status, end_reason FROM test_executions", &[]).await?;
    let saved: HashMap<i64, (String, String, Option<String>)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3)))).collect();
    let admissions: Vec<&Admission> = evidence.admissions.iter().chain(seen_elsewhere).collect();
    let is_lost = |admission: &&&Admission| saved.get(&admission.run_id).is_none_or(|(id, ..)| *id != admission.id);
    let is_undone = |run_id: &&i64| saved.get(run_id).is_some_and(|(_, status, _)| status != "success");
    let lost = admissions.iter().filter(is_lost).count() + evidence.completed.iter().filter(is_undone).count();
    let row = database
        .query_one(
            "SELECT count(*) FROM perfreg_locations location,
               LATERAL (SELECT count(*) running, coalesce(sum(factor_millionths), 0) used FROM test_executions
                         WHERE status = 'running' AND location = location.name) runs
              WHERE location.name <> '' AND (location.running, location.used_millionths) <> (runs.running, runs.used)",
            &[],
        )
        .await?;
    let run_ids: Vec<i64> = admissions.iter().map(|admission| admission.run_id).collect();
    let taken_back = "SELECT count(DISTINCT run_id) FROM perfreg_events WHERE kind = 'taken_back' AND run_id = ANY($1)";
    let taken_back = database.query_one(taken_back, &[&run_ids]).await?;
    Ok(Verdict { lost, repeated: repeated(&admissions), wrong_rows: row.get(0), taken_back: taken_back.get(0) })
}

/// The same run may be told of twice; another under the same number may not.
fn repeated(admissions: &[&Admission]) -> usize {
    let distinct: HashMap<&str, &Admission> =
        admissions.iter().map(|admission| (admission.id.as_str(), *admission)).collect();
    let run_ids: HashSet<i64> = distinct.values().map(|admission| admission.run_id).collect();
    let fences: HashSet<(&str, i64)> =
        distinct.values().map(|admission| (admission.location.as_str(), admission.fence)).collect();
    2 * distinct.len() - run_ids.len() - fences.len()
}
