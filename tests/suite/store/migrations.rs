//! Starting on databases that are not empty.

use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::execution::Outcome;
use perfreg::store::{self, Migrations, StoreError};

use super::contract::{decide, start};
use crate::on_both_databases;
use crate::support::database::{Engine, TestDatabase, execute};
use crate::support::details;

async fn prepare(database: &TestDatabase) -> Result<(), StoreError> {
    store::open(&database.config(), Clock::Real)?.prepare().await
}

/// What the next version may do to the tables: add, with defaults.
pub async fn add_a_later_migration(database: &TestDatabase) {
    let step = format!(
        "INSERT INTO perfreg_migrations (number, name, applied_at, needed)
         VALUES (999, '0999_later', '2030-01-01T00:00:00Z', {})",
        Migrations::NEEDED
    );
    // One after the other: together they could meet a decision that has locked the one and wants the other.
    for sql in [
        "ALTER TABLE test_executions ADD COLUMN later TEXT",
        "ALTER TABLE perfreg_locations ADD COLUMN later INTEGER NOT NULL DEFAULT 7",
        &step,
    ] {
        execute(database, sql).await;
    }
}

on_both_databases! {
    async fn a_database_of_a_newer_version_is_refused_and_left_alone(database: &TestDatabase) {
        prepare(database).await.expect("an empty database");
        execute(database, "INSERT INTO perfreg_migrations (number, name, applied_at) VALUES (999, '0999_later', '2030-01-01')").await;
        let error = prepare(database).await.expect_err("a newer database");
        assert!(matches!(&error, StoreError::Unsuitable(reason) if reason.contains("newer version")), "{error}");
    }

    async fn a_database_of_a_newer_version_that_only_adds_is_worked_on(database: &TestDatabase) {
        let before = database.store(Clock::Real).await;
        add_a_later_migration(database).await;
        let store = database.store(Clock::Real).await;
        for store in [before, store] {
            let run = start(store.as_ref(), details(Some("here"), "0.1")).await;
            let end = Command::Complete { run_id: run.run_id, outcome: Outcome::Success, token: None };
            decide(store.as_ref(), Some("here"), vec![end]).await;
        }
    }

    async fn servers_that_start_at_once_migrate_once(database: &TestDatabase) {
        let (first, second, third) = tokio::join!(prepare(database), prepare(database), prepare(database));
        for result in [first, second, third] {
            result.expect("one after the other");
        }
        let store = database.store(Clock::Real).await;
        start(store.as_ref(), details(Some("here"), "0.5")).await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_in_a_sentence() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let path = database.url.strip_prefix("sqlite:").expect("a file");
    std::fs::write(path, "not a database, ".repeat(100)).expect("a file");
    let error = prepare(&database).await.expect_err("no database");
    assert!(error.to_string().contains("is not a SQLite database; name another file"), "{error}");
}

#[tokio::test]
async fn a_file_with_somebody_elses_table_is_refused_in_a_sentence() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    database.open_file().execute_batch("CREATE TABLE test_executions (name TEXT)").expect("valid SQL");
    let error = prepare(&database).await.expect_err("another table").to_string();
    assert!(error.ends_with("it has a table test_executions that is not the registry's; name another file"), "{error}");
}
