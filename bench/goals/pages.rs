//! The pages at 1,000,000 executions, over one connection.

use anyhow::Result;

use crate::connection::Connection;
use crate::database::Engine;
use crate::fill;
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, count, number};
use crate::table::{Report, Row};

const GOAL_MS: f64 = 10.0;
const PAGES: [&str; 3] = ["/status-html", "/history-html", "/history-html-filter?stream=%25main%25"];

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let mut rows = Vec::new();
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let database = fill::filled(engine, sizes.whole_rows).await?;
        let server = Server::start(&database)?;
        let mut connection = Connection::open(&server.address).await?;
        for page in PAGES {
            let (mut p50, mut p99) = (Vec::new(), Vec::new());
            for _ in 0..sizes.rounds {
                let mut times = connection.ask(page, sizes.samples).await?;
                p50.push(times.percentile(50));
                p99.push(times.percentile(99));
            }
            rows.push(Row::at_most(
                format!("`{page}` at {} executions, {engine} (p99)", number(count(usize::try_from(sizes.whole_rows)?))),
                GOAL_MS,
                " ms",
                &Spread::of(p99),
                &format!("p50 {} ms", Spread::of(p50)),
            ));
        }
    }
    Ok(Report { rows, details: None })
}
