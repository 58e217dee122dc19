//! Moving in with a database that the original, or its successor, has written.

mod dashboards;
mod original;
mod successor;

use std::path::{Path, PathBuf};

use crate::support::database::{Engine, TestDatabase};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/moving").join(name)
}

/// A database as the original's successor leaves it.
async fn successors_database() -> TestDatabase {
    let database = TestDatabase::new(Engine::Postgres).await;
    let sql = std::fs::read_to_string(file("successor.sql")).expect("a text");
    database.connect().await.batch_execute(&sql).await.expect("valid SQL");
    database
}
