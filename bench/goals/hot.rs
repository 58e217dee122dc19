//! Registrations at one location from 256 connections, on both databases; the original's design
//! and the bare transactions in the same round.

use anyhow::Result;

use crate::database::{Database, Engine};
use crate::load::Load;
use crate::pgbench::{self, Pgbench};
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::Spread;
use crate::table::{Report, Row};

const CONNECTIONS: usize = 256;
/// More only lengthen the queue in front of the lock; fewer leave the workers idle.
const PEER_CONNECTIONS: usize = 16;
const BARE_CLIENTS: usize = 16;

#[derive(Default)]
struct Rates {
    postgres: Vec<f64>,
    postgres_p99: Vec<f64>,
    sqlite: Vec<f64>,
    sqlite_p99: Vec<f64>,
    peer: Vec<f64>,
    peer_p99: Vec<f64>,
    bare: Vec<f64>,
}

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let mut rates = Rates::default();
    for round in 1..=sizes.rounds {
        let (rate, p99) = service(Engine::Postgres, sizes).await?;
        rates.postgres.push(rate);
        rates.postgres_p99.push(p99);
        let (rate, p99) = service(Engine::Sqlite, sizes).await?;
        rates.sqlite.push(rate);
        rates.sqlite_p99.push(p99);
        let (rate, p99) = peer(sizes).await?;
        rates.peer.push(rate);
        rates.peer_p99.push(p99);
        rates.bare.push(bare(sizes).await?);
        eprintln!("round {round} of {}", sizes.rounds);
    }
    Ok(report(rates))
}

fn report(rates: Rates) -> Report {
    let on_postgres = Spread::of_ratios(&rates.postgres, &rates.peer);
    let on_sqlite = Spread::of_ratios(&rates.sqlite, &rates.peer);
    let to_bare = Spread::of_ratios(&rates.postgres, &rates.bare);
    let told = |rate: &[f64], p99: &[f64]| {
        format!("{} a second, p99 {} ms", Spread::of(rate.to_vec()), Spread::of(p99.to_vec()))
    };
    let peer = told(&rates.peer, &rates.peer_p99);
    Report {
        rows: vec![
            Row::at_least(
                "register at one location, 256 connections, PostgreSQL: as many times as the original's design",
                100.0,
                " ×",
                &on_postgres,
                &format!("{}; the original's design: {peer}", told(&rates.postgres, &rates.postgres_p99)),
            ),
            Row::at_least(
                "the same, as many times as pgbench one by one",
                12.0,
                " ×",
                &to_bare,
                &format!("pgbench: {} a second", Spread::of(rates.bare)),
            ),
            Row::at_least(
                "the same on SQLite: as many times as the original's design",
                150.0,
                " ×",
                &on_sqlite,
                &told(&rates.sqlite, &rates.sqlite_p99),
            ),
        ],
        details: None,
    }
}

async fn service(engine: Engine, sizes: &Sizes) -> Result<(f64, f64)> {
    let database = Database::new(engine)?;
    let server = Server::start(&database)?;
    let figures = Load { connections: CONNECTIONS, locations: 1 }.run(&server, sizes).await?;
    Ok((figures.per_second, figures.p99_ms))
}

async fn peer(sizes: &Sizes) -> Result<(f64, f64)> {
    let database = Database::new(Engine::Postgres)?;
    let server = Server::start_peer(&database)?;
    let figures = Load { connections: PEER_CONNECTIONS, locations: 1 }.run(&server, sizes).await?;
    Ok((figures.per_second, figures.p99_ms))
}

async fn bare(sizes: &Sizes) -> Result<f64> {
    let database = Database::new(Engine::Postgres)?;
    pgbench::prepare(&database)?;
    let pgbench = Pgbench { script: "register.sql", clients: BARE_CLIENTS, locations: 1 };
    Ok(pgbench.run(&database, sizes).await?.per_second)
}
