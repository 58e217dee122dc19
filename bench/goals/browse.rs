//! The first page of the history with every kind of filter, one execution, and what runs, in a
//! small and in a large database, one request after the other.

use std::fmt::Write as _;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use crate::connection::Connection;
use crate::database::Engine;
use crate::fill::{self, APART_SECONDS, NEWEST};
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, Times, number};
use crate::table::{Report, Row};

/// The large database may answer so much later.
const GOAL: f64 = 1.5;

/// What is asked, and how the table calls it.
struct Query {
    name: &'static str,
    path: String,
}

/// The query strings of the history, in the order of the table.
const FILTERS: [(&str, &str); 25] = [
    ("no filter", ""),
    ("repo, exact", "repo=repo-07"),
    ("lac, exact", "lac=lac7"),
    ("stream, exact and frequent", "stream=main"),
    ("stream, exact", "stream=release-07"),
    ("test, exact", "test=test-123"),
    ("type, exact", "type=soak"),
    ("environment, exact", "environment=prod"),
    ("triggered_by, exact", "triggered_by=user123"),
    ("location, exact", "location=cluster-07"),
    ("stream `%x%`, finds a third", "stream=%25mai%25"),
    ("stream `%x%`, finds all", "stream=%25a%25"),
    ("repo `%x%`", "repo=%25o-1%25"),
    ("test `%x%`", "test=%25-12%25"),
    ("triggered_by `%x%`", "triggered_by=%25er12%25"),
    ("location `%x%`", "location=%25er-0%25"),
    ("triggered_by, the 20 oldest", "triggered_by=Zacharias%20Needle"),
    ("triggered_by `%x%`, the 20 oldest", "triggered_by=%25needle%25"),
    ("triggered_by `%x%`, finds nothing", "triggered_by=%25nowhere%25"),
    ("the 20 oldest and a frequent stream", "triggered_by=%25needle%25&stream=main"),
    ("two fields", "repo=repo-07&environment=prod"),
    ("two frequent fields that never meet", "repo=repo-07&test=test-008"),
    ("two fields `%x%`", "repo=%25o-1%25&triggered_by=%25er12%25"),
    ("status failure", "status=failure"),
    ("status running and a stream", "status=running&stream=main"),
];

fn queries() -> Vec<Query> {
    let history = |filter: &str| {
        let separator = if filter.is_empty() { "" } else { "&" };
        format!("/history?limit=100{separator}{filter}")
    };
    let mut queries: Vec<Query> = FILTERS.iter().map(|&(name, filter)| Query { name, path: history(filter) }).collect();
    let (from, to) = (before_newest(800), before_newest(400));
    for (name, filter) in [
        ("from and to", format!("from={from}&to={to}")),
        ("from, to and a field", format!("from={from}&to={to}&environment=prod")),
        ("from, to and the 20 oldest", format!("from={from}&triggered_by=%25needle%25")),
    ] {
        queries.push(Query { name, path: history(&filter) });
    }
    for (name, path) in [
        ("one execution", "/executions/500"),
        ("`/status`", "/status"),
        ("`/status-html`", "/status-html"),
        ("`/history-html`", "/history-html"),
    ] {
        queries.push(Query { name, path: path.to_owned() });
    }
    queries
}

/// The start of the execution so many before the newest; a small database has it as well.
fn before_newest(executions: i32) -> Timestamp {
    NEWEST - SignedDuration::from_secs(APART_SECONDS) * executions
}

/// Of each round.
#[derive(Default)]
struct Percentiles {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Percentiles {
    fn add(&mut self, mut times: Times) {
        self.p50.push(times.percentile(50));
        self.p99.push(times.percentile(99));
    }
}

struct Compared {
    name: &'static str,
    small: Percentiles,
    large: Percentiles,
}

impl Compared {
    fn ratio(&self) -> Spread {
        Spread::of_ratios(&self.large.p99, &self.small.p99)
    }
}

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let mut report = Report::default();
    let mut details = format!(
        "First pages of 100 at {} and at {} executions, p50 and p99 in ms.\n",
        number_of(sizes.small_rows),
        number_of(sizes.large_rows)
    );
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let all = compare(engine, sizes).await?;
        report.rows.push(row(engine, &all, sizes));
        details.push_str(&table(engine, &all));
    }
    report.details = Some(details);
    Ok(report)
}

async fn compare(engine: Engine, sizes: &Sizes) -> Result<Vec<Compared>> {
    let (small, large) = (fill::filled(engine, sizes.small_rows).await?, fill::filled(engine, sizes.large_rows).await?);
    let servers = [Server::start(&small)?, Server::start(&large)?];
    let (mut small, mut large) =
        (Connection::open(&servers[0].address).await?, Connection::open(&servers[1].address).await?);
    let queries = queries();
    let compared =
        |query: &Query| Compared { name: query.name, small: Percentiles::default(), large: Percentiles::default() };
    let mut all: Vec<Compared> = queries.iter().map(compared).collect();
    for round in 1..=sizes.rounds {
        for (query, compared) in queries.iter().zip(&mut all) {
            // One after the other, so that whatever else the machine does meets both.
            compared.small.add(small.ask(&query.path, sizes.samples).await?);
            compared.large.add(large.ask(&query.path, sizes.samples).await?);
        }
        eprintln!("{engine}: round {round} of {}", sizes.rounds);
    }
    Ok(all)
}

fn row(engine: Engine, all: &[Compared], sizes: &Sizes) -> Row {
    let ratios: Vec<Spread> = all.iter().map(Compared::ratio).collect();
    let within = ratios.iter().filter(|ratio| ratio.median <= GOAL).count();
    let worst = all.iter().zip(&ratios).max_by(|(_, one), (_, other)| one.median.total_cmp(&other.median));
    let (worst, ratio) = worst.expect("something is asked");
    Row::at_most(
        format!(
            "pages, filters, one execution, `/status` at {} executions: the largest p99, as many times as at {}, {engine}",
            number_of(sizes.large_rows),
            number_of(sizes.small_rows)
        ),
        GOAL,
        " ×",
        ratio,
        &format!("that is {}; {within} of {} are within the goal", worst.name, all.len()),
    )
}

fn table(engine: Engine, all: &[Compared]) -> String {
    let mut table = format!(
        "\n| {engine} | p50 small | p50 large | p99 small | p99 large | ratio of p99 |\n|---|---|---|---|---|---|\n"
    );
    for compared in all {
        let Compared { name, small, large } = compared;
        let cells =
            [&small.p50, &large.p50, &small.p99, &large.p99].map(|times| number(Spread::of(times.clone()).median));
        // Writing to memory cannot fail.
        let _ = writeln!(table, "| {name} | {} | {} |", cells.join(" | "), compared.ratio());
    }
    table
}

fn number_of(rows: u64) -> String {
    number(f64::from(u32::try_from(rows).unwrap_or(u32::MAX)))
}
