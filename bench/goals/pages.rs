//! The pages at 10,000 and at 1,000,000 executions, over one connection each, one after the other.

use anyhow::Result;

use crate::connection::Connection;
use crate::database::Engine;
use crate::fill;
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, count, number};
use crate::table::{Report, Row};

/// The large database may answer so much later.
const GOAL_RATIO: f64 = 2.0;
/// How many milliseconds each may take. The run is one that both databases have.
const PAGES: [(&str, f64); 5] = [
    ("/", 50.0),
    ("/runs/9000", 50.0),
    ("/status-html", 10.0),
    ("/history-html", 10.0),
    ("/history-html-filter?stream=%25main%25", 10.0),
];

/// Of each round.
#[derive(Default)]
struct Times {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Times {
    async fn ask(&mut self, connection: &mut Connection, page: &str, samples: usize) -> Result<()> {
        let mut times = connection.ask(page, samples).await?;
        self.p50.push(times.percentile(50));
        self.p99.push(times.percentile(99));
        Ok(())
    }
}

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let mut rows = Vec::new();
    let large_rows = number(count(usize::try_from(sizes.whole_rows)?));
    let small_rows = number(count(usize::try_from(sizes.small_rows)?));
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let databases = (fill::filled(engine, sizes.small_rows).await?, fill::filled(engine, sizes.whole_rows).await?);
        let servers = (Server::start(&databases.0)?, Server::start(&databases.1)?);
        let mut small = Connection::open(&servers.0.address).await?;
        let mut large = Connection::open(&servers.1.address).await?;
        for (page, goal) in PAGES {
            let (mut at_small, mut at_large) = (Times::default(), Times::default());
            for _ in 0..sizes.rounds {
                at_small.ask(&mut small, page, sizes.samples).await?;
                at_large.ask(&mut large, page, sizes.samples).await?;
            }
            let ratio = Spread::of_ratios(&at_large.p99, &at_small.p99);
            rows.push(Row::at_most(
                format!("`{page}` at {large_rows} executions, {engine} (p99)"),
                goal,
                " ms",
                &Spread::of(at_large.p99),
                &format!("p50 {} ms", Spread::of(at_large.p50)),
            ));
            rows.push(Row::at_most(
                format!("`{page}`: its p99, as many times as at {small_rows}, {engine}"),
                GOAL_RATIO,
                " ×",
                &ratio,
                &format!("there p50 {}, p99 {} ms", Spread::of(at_small.p50), Spread::of(at_small.p99)),
            ));
        }
    }
    Ok(Report { rows, details: None })
}
