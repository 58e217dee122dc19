//! What a page of a list costs does not depend on how many executions there are.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params_from_iter};

use super::search::{Condition, by_narrowest};
use super::{executions, migrate};
use crate::domain::execution::{Outcome, RunId, Status};
use crate::domain::history::SearchField::{Location, Repo, Stream, Test, TriggeredBy, Type};
use crate::domain::history::{Cursor, Filter, Pattern, SearchField};
use crate::domain::schedule::estimate::Alike;

/// The first start time, in seconds.
const FIRST: i64 = 1_767_225_600;
const PATTERNS: &[&[(SearchField, &str)]] = &[
    &[],
    &[(Location, "%")],
    &[(Stream, "%ain%")],
    &[(Stream, "%ancient%")],
    &[(Stream, "%nowhere%")],
    &[(Test, "%est-7%"), (TriggeredBy, "%er%")],
    &[(Test, "%9%")],
];

/// Executions by the number, ever newer, with 700 kinds of tests; the oldest alone are on a
/// stream of their own, a few thousand in the middle failed, and the last few run.
fn filled(count: i64) -> Connection {
    let mut connection = Connection::open_in_memory().expect("a database");
    let path = Path::new("in memory");
    migrate::migrate(&mut connection, path).expect("an empty database");
    let sql = format!(
        "INSERT INTO test_executions (id, repo, lac, stream, test, type, environment, triggered_by, status, start_time,
                                      end_time, location)
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
         SELECT printf('00000000-0000-4000-8000-%012d', n), 'repo', 'lac', iif(n <= 450, 'ancient', 'main'), 'test-' || (n % 100), 'type', 'prod', 'user' || (n % 7),
                CASE WHEN n > {count} - 20 THEN 'running' WHEN n BETWEEN 500 AND 6500 THEN 'failure' ELSE 'success' END,
                strftime('%Y-%m-%dT%H:%M:%S.000000Z', {FIRST} + n, 'unixepoch'),
                strftime('%Y-%m-%dT%H:%M:%S.000000Z', {FIRST} + 86400 + n, 'unixepoch'), 'k8s'
           FROM numbers"
    );
    connection.execute_batch(&sql).expect("valid SQL");
    migrate::migrate(&mut connection, path).expect("profiles for those");
    connection
}

/// In how many steps SQLite does that.
fn steps(connection: &mut Connection, work: impl FnOnce(&Connection)) -> u64 {
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    connection.progress_handler(1, Some(count)).expect("a handler");
    work(connection);
    connection.progress_handler(0, None::<fn() -> bool>).expect("no handler");
    steps.load(Ordering::Relaxed)
}

/// What each kind of list costs, its first page and one in the middle.
fn costs(count: i64) -> Vec<(String, u64)> {
    let mut connection = filled(count);
    let start_time = Timestamp::from_second(FIRST).expect("in range") + SignedDuration::from_secs(count / 2);
    let middle = Cursor { start_time, run_id: RunId(count / 2) };
    let mut costs = Vec::new();
    for patterns in PATTERNS {
        for status in [None, Some(Status::Running), Some(Status::Ended(Outcome::Failure))] {
            for after in [None, Some(middle)] {
                let patterns = patterns.iter().map(|(field, text)| (*field, Pattern::new(text))).collect();
                let filter = Filter { patterns, status, ..Filter::default() };
                let page = |connection: &Connection| {
                    executions::page(connection, &filter, after, 100).expect("a page");
                };
                costs.push((format!("{filter:?} {after:?}"), steps(&mut connection, page)));
            }
        }
    }
    let text = |text: &str| text.to_owned();
    let alike = Alike { repo: text("repo"), test: text("test-7"), kind: text("type"), environment: text("prod") };
    let durations = |connection: &Connection| {
        executions::durations(connection, &alike).expect("a read");
    };
    costs.push((format!("{alike:?}"), steps(&mut connection, durations)));
    costs
}

#[test]
fn profiles_are_found_by_the_field_that_leaves_the_fewest() {
    let connection = filled(1_000);
    for other in [Repo, Type, TriggeredBy] {
        let patterns = [(Test, Pattern::new("test-7")), (other, Pattern::new("%e%"))].into();
        let Condition { text, parameters } =
            by_narrowest(&connection, &Filter { patterns, ..Filter::default() }).expect("counts");
        let plan = format!("EXPLAIN QUERY PLAN SELECT id FROM perfreg_profiles WHERE {text}");
        let step: String = connection
            .query_row(&plan, params_from_iter(parameters), |row| row.get("detail"))
            .expect("the first step of a plan");
        assert!(step.contains("perfreg_profiles_test "), "beside {other:?}: {step}");
    }
}

#[test]
fn a_page_takes_no_more_steps_where_there_are_ten_times_as_many_executions() {
    for ((list, small), (_, large)) in costs(12_000).into_iter().zip(costs(120_000)) {
        assert!(large <= small * 3 / 2 + 400_000, "{list}: {large} instead of {small}");
    }
}
