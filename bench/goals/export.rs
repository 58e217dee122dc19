//! The whole history as JSON, beside psql's `\copy` of the same rows to CSV.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use http_body_util::BodyExt;
use hyper::Method;
use tokio::process::Command;

use crate::connection::Connection;
use crate::database::{Database, Engine};
use crate::fill;
use crate::process;
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, count, number};
use crate::table::{Report, Row};

/// What begins each execution, and nothing else in the answer.
const MARK: &[u8] = b"\"run_id\":";
const COPY: &str = r"\copy test_executions TO STDOUT WITH (FORMAT csv)";

/// What several rounds gave.
#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    /// What the server held more at the end than before.
    growth: Vec<f64>,
    peak: Vec<f64>,
}

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let rows = usize::try_from(sizes.whole_rows)?;
    let (mut postgres, mut sqlite, mut copy) = (Rounds::default(), Rounds::default(), Vec::new());
    let on_postgres = fill::filled(Engine::Postgres, sizes.whole_rows).await?;
    let on_sqlite = fill::filled(Engine::Sqlite, sizes.whole_rows).await?;
    for round in 1..=sizes.rounds {
        one_round(&on_postgres, rows, &mut postgres).await?;
        copy.push(count(rows) / copy_seconds(&on_postgres, rows).await?);
        one_round(&on_sqlite, rows, &mut sqlite).await?;
        eprintln!("round {round} of {}", sizes.rounds);
    }
    let name = |engine| {
        format!("`GET /history` whole, {} executions, {engine}: rows a second, of psql `\\copy`", number(count(rows)))
    };
    let told = |rounds: &Rounds| {
        format!(
            "{} rows a second; the server's memory grows by {} MiB to {} MiB",
            Spread::of(rounds.rates.clone()),
            Spread::of(rounds.growth.clone()),
            Spread::of(rounds.peak.clone())
        )
    };
    let more = format!("{}; `\\copy`: {} rows a second", told(&postgres), Spread::of(copy.clone()));
    Ok(Report {
        rows: vec![
            Row::at_least(name(Engine::Postgres), 0.5, " ×", &Spread::of_ratios(&postgres.rates, &copy), &more),
            Row::told(name(Engine::Sqlite), " ×", &Spread::of_ratios(&sqlite.rates, &copy), &told(&sqlite)),
        ],
        details: None,
    })
}

async fn one_round(database: &Database, rows: usize, rounds: &mut Rounds) -> Result<()> {
    let server = Server::start(database)?;
    let mut connection = Connection::open(&server.address).await?;
    connection.get("/history?limit=100").await?;
    let before = process::peak_memory(server.pid())?;
    let start = Instant::now();
    let response = connection.send(Method::GET, "/history", "*/*", String::new()).await?;
    let (mut body, mut counter) = (response.into_body(), Counter::default());
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            counter.add(data);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    ensure!(counter.found == rows, "the history has {} executions instead of {rows}", counter.found);
    rounds.rates.push(count(rows) / seconds);
    let peak = process::peak_memory(server.pid())?;
    rounds.growth.push(peak - before);
    rounds.peak.push(peak);
    Ok(())
}

/// Counts the executions as they come, since their text would not fit into memory twice.
#[derive(Default)]
struct Counter {
    found: usize,
    /// The end of what came before, in which a mark may have begun.
    rest: Vec<u8>,
}

impl Counter {
    fn add(&mut self, data: &[u8]) {
        self.rest.extend_from_slice(data);
        self.found += memchr::memmem::find_iter(&self.rest, MARK).count();
        let kept = self.rest.len().saturating_sub(MARK.len() - 1);
        self.rest.drain(..kept);
    }
}

async fn copy_seconds(database: &Database, rows: usize) -> Result<f64> {
    let found = crate::database::psql(&database.url, &["--command", "SELECT count(*) FROM test_executions"])?;
    ensure!(found == rows.to_string(), "there are {found} executions instead of {rows}");
    let start = Instant::now();
    let mut command = Command::new("psql");
    command
        .args([&database.url, "--no-psqlrc", "--quiet", "--command", COPY])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let status = command.kill_on_drop(true).status().await.context("cannot run psql")?;
    ensure!(status.success(), "psql cannot copy");
    Ok(start.elapsed().as_secs_f64())
}
