//! What a page of a list costs does not depend on how many executions there are.

use std::time::Instant;

use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::answer::Answer;
use perfreg::domain::execution::{Outcome, Status};
use perfreg::domain::history::SearchField::{Environment, Location, Repo, Stream, Test, TriggeredBy, Type};
use perfreg::domain::history::{Cursor, Filter, Pattern, SearchField};
use perfreg::domain::schedule::estimate::Alike;

use super::contract::{decide, start};
use crate::support::database::{Engine, TestDatabase, execute};
use crate::support::details;
use crate::support::server::PATIENCE;

const PATTERNS: &[&[(SearchField, &str)]] = &[
    &[],
    &[(Location, "%")],
    &[(Stream, "%ain%")],
    &[(Stream, "%ancient%")],
    &[(Stream, "%nowhere%")],
    &[(Test, "%est-7%"), (TriggeredBy, "%er%")],
    &[(Test, "%9%")],
    // The earlier runs of one test.
    &[(Repo, "repo"), (Test, "test-7"), (Type, "type"), (Environment, "prod")],
];

/// Executions by the number, ever newer, with 700 kinds of tests; the oldest alone are on a
/// stream of their own, a few thousand in the middle failed, and the last few run.
async fn fill(database: &TestDatabase, count: usize) {
    drop(database.store(Clock::Real).await);
    let sql = format!(
        "INSERT INTO test_executions (id, run_id, repo, lac, stream, test, type, environment, triggered_by, status,
                                      start_time, end_time, location)
         SELECT md5(n::text)::uuid, n, 'repo', 'lac', CASE WHEN n <= 450 THEN 'ancient' ELSE 'main' END, 'test-' || n % 100,
                'type', 'prod', 'user' || n % 7,
                CASE WHEN n > {count} - 20 THEN 'running' WHEN n BETWEEN 500 AND 6500 THEN 'failure' ELSE 'success' END,
                timestamptz '2026-01-01Z' + n * interval '1 second', timestamptz '2026-01-02Z' + n * interval '1 second',
                'k8s'
           FROM generate_series(1, {count}) AS n"
    );
    execute(database, &sql).await;
    drop(database.store(Clock::Real).await);
    execute(database, "VACUUM ANALYZE test_executions").await;
}

/// How many rows and entries of indexes were read so far, as the connections that are closed told.
async fn read_so_far(database: &TestDatabase) -> i64 {
    let client = database.connect().await;
    let open =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'perfreg'";
    let give_up = Instant::now() + PATIENCE;
    while client.query_one(open, &[]).await.expect("an answer").get::<_, i64>(0) > 0 {
        assert!(Instant::now() < give_up, "connections are still open after {PATIENCE:?}");
        tokio::task::yield_now().await;
    }
    let read = "SELECT sum(read)::bigint
                  FROM (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'test_executions'
                         UNION ALL
                        SELECT idx_tup_read FROM pg_stat_user_indexes WHERE relname = 'test_executions') AS all_of (read)";
    client.query_one(read, &[]).await.expect("an answer").get(0)
}

/// What each kind of list reads of its first page and of one in the middle.
async fn costs(database: &TestDatabase, count: usize) -> Vec<(String, i64)> {
    let mut costs = Vec::new();
    let middle = format!("{}_{}", 1_767_225_600_000_000 + count as i64 / 2 * 1_000_000, count / 2);
    let middle: Cursor = middle.parse().expect("a cursor");
    let mut before = read_so_far(database).await;
    for patterns in PATTERNS {
        for status in [None, Some(Status::Running), Some(Status::Ended(Outcome::Failure))] {
            for after in [None, Some(middle)] {
                let patterns = patterns.iter().map(|(field, text)| (*field, Pattern::new(text))).collect();
                let filter = Filter { patterns, status, ..Filter::default() };
                let store = database.store(Clock::Real).await;
                store.executions(&filter, after, 100).await.expect("a page");
                drop(store);
                let now = read_so_far(database).await;
                costs.push((format!("{:?} {status:?} {after:?}", filter.patterns), now - before));
                before = now;
            }
        }
    }
    let alike = Alike::of(&details(Some("k8s"), "0"));
    let store = database.store(Clock::Real).await;
    store.durations(&alike).await.expect("a read");
    drop(store);
    costs.push((format!("{alike:?}"), read_so_far(database).await - before));
    costs
}

/// What so many registrations and ends read, one after the other.
async fn cost_of_lives(database: &TestDatabase, lives: usize) -> i64 {
    let before = read_so_far(database).await;
    let store = database.store(Clock::Real).await;
    for _ in 0..lives {
        let run_id = start(&*store, details(Some("here"), "0.1")).await.run_id;
        let end = Command::Complete { run_id, outcome: Outcome::Success, token: None };
        assert!(matches!(decide(&*store, Some("here"), vec![end]).await[..], [Answer::Ended(_)]));
    }
    drop(store);
    read_so_far(database).await - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_starts_and_ends_reads_no_more_where_many_others_run() {
    const OTHERS: i64 = 3_000;
    const LIVES: usize = 20;
    let (small, large) = (TestDatabase::new(Engine::Postgres).await, TestDatabase::new(Engine::Postgres).await);
    for (database, others) in [(&small, 0), (&large, OTHERS)] {
        drop(database.store(Clock::Real).await);
        let sql = format!(
            "INSERT INTO test_executions (id, run_id, repo, lac, stream, test, type, environment, triggered_by, status,
                                          start_time, location, profile)
             SELECT gen_random_uuid(), nextval('perfreg_run_id'), 'repo', 'lac', 'main', 'test', 'type', 'prod', 'user',
                    'running', now(), 'elsewhere', gen_random_uuid()
               FROM generate_series(1, {others})"
        );
        execute(database, &sql).await;
    }
    let (small, large) = (cost_of_lives(&small, LIVES).await, cost_of_lives(&large, LIVES).await);
    assert!(large - small < OTHERS, "{LIVES} of them read {large} rows and entries of indexes instead of {small}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_reads_no_more_where_there_are_ten_times_as_many_executions() {
    let (small, large) = (TestDatabase::new(Engine::Postgres).await, TestDatabase::new(Engine::Postgres).await);
    fill(&small, 12_000).await;
    fill(&large, 120_000).await;
    let (small, large) = (costs(&small, 12_000).await, costs(&large, 120_000).await);
    for ((list, small), (_, large)) in small.into_iter().zip(large) {
        assert!(large <= small * 3 / 2 + 20_000, "{list}: {large} instead of {small}");
    }
}
