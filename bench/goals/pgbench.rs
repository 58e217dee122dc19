//! The bare transactions: what PostgreSQL does of itself, one after the other, prepared.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::database::{Database, psql};
use crate::sizes::Sizes;
use crate::statistics::Times;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/goals/bare");

pub struct Pgbench<'script> {
    pub script: &'script str,
    pub clients: usize,
    pub locations: usize,
}

/// What came of it.
pub struct Figures {
    pub per_second: f64,
    /// Of each run of the script.
    pub times: Times,
}

/// The tables, in an empty database.
pub fn prepare(database: &Database) -> Result<()> {
    psql(&database.url, &["--file", &format!("{FOLDER}/schema.sql")]).map(drop)
}

impl Pgbench<'_> {
    pub async fn run(&self, database: &Database, sizes: &Sizes) -> Result<Figures> {
        if !sizes.warm_up.is_zero() {
            self.run_for(database, sizes.warm_up).await?;
        }
        self.run_for(database, sizes.load).await
    }

    async fn run_for(&self, database: &Database, time: Duration) -> Result<Figures> {
        let logs = TempDir::new()?;
        let mut command = Command::new("pgbench");
        command.args([
            "--no-vacuum",
            "--protocol",
            "prepared",
            "--log",
            "--define",
            &format!("locations={}", self.locations),
        ]);
        command.args(["--log-prefix", &logs.path().join("log").display().to_string()]);
        command.args(["--client", &self.clients.to_string(), "--jobs", &self.clients.min(2).to_string()]);
        command.args(["--time", &time.as_secs().to_string(), "--file", &format!("{FOLDER}/{}", self.script)]);
        // pgbench knows no URLs before PostgreSQL 14, but the name of a database may be one.
        command.arg(&database.url).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.context("cannot run pgbench")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next());
        let per_second = rate.with_context(|| format!("pgbench says something else: {text}"))?.parse()?;
        Ok(Figures { per_second, times: times(&logs)? })
    }
}

/// Each line of a log is client, transaction, microseconds, and more.
fn times(logs: &TempDir) -> Result<Times> {
    let mut times = Times::default();
    for entry in std::fs::read_dir(logs.path())? {
        let log = std::fs::read_to_string(entry?.path())?;
        for line in log.lines() {
            let microseconds = line.split(' ').nth(2).context("pgbench logs something else")?;
            times.add(Duration::from_micros(microseconds.parse()?));
        }
    }
    Ok(times)
}
