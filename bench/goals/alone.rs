//! One client alone registers and completes, one after the other, beside the same two bare
//! transactions.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use crate::connection::Connection;
use crate::database::{Database, Engine};
use crate::pgbench::{self, Pgbench};
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, Times};
use crate::table::{Report, Row};

/// Of registering and completing together.
#[derive(Default)]
struct Pairs {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Pairs {
    fn add(&mut self, mut times: Times) {
        self.p50.push(times.percentile(50));
        self.p99.push(times.percentile(99));
    }

    fn text(&self) -> String {
        format!("p50 {} ms, p99 {} ms", Spread::of(self.p50.clone()), Spread::of(self.p99.clone()))
    }
}

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let (mut postgres, mut sqlite, mut bare) = (Pairs::default(), Pairs::default(), Pairs::default());
    for round in 1..=sizes.rounds {
        postgres.add(service(Engine::Postgres, sizes).await?);
        bare.add(bare_pairs(sizes).await?);
        sqlite.add(service(Engine::Sqlite, sizes).await?);
        eprintln!("round {round} of {}", sizes.rounds);
    }
    Ok(Report {
        rows: vec![
            Row::at_most(
                "one client alone, register then complete, PostgreSQL: as many times as pgbench takes for both transactions (p50)",
                1.3,
                " ×",
                &Spread::of_ratios(&postgres.p50, &bare.p50),
                &format!("{}; pgbench: {}", postgres.text(), bare.text()),
            ),
            Row::told(
                "the same on SQLite (p50)",
                " ms",
                &Spread::of(sqlite.p50),
                &format!("p99 {} ms", Spread::of(sqlite.p99)),
            ),
        ],
        details: None,
    })
}

async fn service(engine: Engine, sizes: &Sizes) -> Result<Times> {
    let database = Database::new(engine)?;
    let server = Server::start(&database)?;
    let mut connection = Connection::open(&server.address).await?;
    let registration = json!({
        "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance", "environment": "prod",
        "triggered_by": "user1", "factor": 0.5, "dashboard_url": "https://dashboard.example.com/run/123",
        "location": "azure-k8s",
    });
    let (mut times, begin) = (Times::default(), Instant::now());
    while begin.elapsed() < sizes.warm_up + sizes.load {
        let is_warm = begin.elapsed() >= sizes.warm_up;
        let start = Instant::now();
        let run = connection.post("/register", &registration).await?;
        connection.post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await?;
        if is_warm {
            times.add_since(start);
        }
    }
    Ok(times)
}

async fn bare_pairs(sizes: &Sizes) -> Result<Times> {
    let database = Database::new(Engine::Postgres)?;
    pgbench::prepare(&database)?;
    let pgbench = Pgbench { script: "register_and_complete.sql", clients: 1, locations: 1 };
    Ok(pgbench.run(&database, sizes).await?.times)
}
