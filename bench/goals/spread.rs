//! 100 locations at once through three replicas, beside the bare transactions over as many rows;
//! and the longest time in which the clients of one replica get no answer.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::{try_join, try_join_all};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::database::{Database, Engine};
use crate::load::Load;
use crate::pgbench::{self, Pgbench};
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, milliseconds};
use crate::table::{Report, Row};

const LOCATIONS: usize = 100;
const REPLICAS: usize = 3;
const CONNECTIONS_EACH: usize = 85;
const BARE_CLIENTS: usize = 16;
/// Of the replica whose clients are watched.
const WATCHED_CLIENTS: usize = 16;

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let (mut service, mut bare) = (Vec::new(), Vec::new());
    let (mut stalls, mut commits) = (Vec::new(), Vec::new());
    for round in 1..=sizes.rounds {
        let database = Database::new(Engine::Postgres)?;
        let servers = (0..REPLICAS).map(|_| Server::start(&database)).collect::<Result<Vec<_>>>()?;
        let load = Load { connections: CONNECTIONS_EACH, locations: LOCATIONS };
        let figures = try_join_all(servers.iter().map(|server| load.run(server, sizes))).await?;
        service.push(figures.iter().map(|figures| figures.per_second).sum());
        let (stall, commit) = longest_stall(&database, &servers, sizes).await?;
        stalls.push(stall);
        commits.push(commit);
        drop(servers);
        bare.push(bare_rate(sizes).await?);
        eprintln!("round {round} of {}", sizes.rounds);
    }
    let stall_to_commit = Spread::of_ratios(&stalls, &commits);
    Ok(Report {
        rows: vec![
            Row::at_least(
                "register at 100 locations, 3 replicas: as many times as pgbench one by one over the same rows",
                3.0,
                " ×",
                &Spread::of_ratios(&service, &bare),
                &format!("{} a second; pgbench: {} a second", Spread::of(service), Spread::of(bare)),
            ),
            Row::told(
                "longest time without an answer for 16 clients of one replica while the other two are loaded",
                " ms",
                &Spread::of(stalls),
                &format!(
                    "{} × the longest commit of a bare connection meanwhile, {} ms",
                    stall_to_commit,
                    Spread::of(commits)
                ),
            ),
        ],
        details: None,
    })
}

async fn bare_rate(sizes: &Sizes) -> Result<f64> {
    let database = Database::new(Engine::Postgres)?;
    pgbench::prepare(&database)?;
    let pgbench = Pgbench { script: "register.sql", clients: BARE_CLIENTS, locations: LOCATIONS };
    Ok(pgbench.run(&database, sizes).await?.per_second)
}

/// The longest stall of the first replica's clients while the others are loaded, and the longest
/// commit of a connection that does nothing else, in milliseconds.
async fn longest_stall(database: &Database, servers: &[Server], sizes: &Sizes) -> Result<(f64, f64)> {
    let load = Load { connections: CONNECTIONS_EACH, locations: LOCATIONS };
    let others = try_join_all(servers[1..].iter().map(|server| load.run_for(server, sizes.load)));
    let until = Instant::now() + sizes.load;
    let clients = try_join_all((0..WATCHED_CLIENTS).map(|client| answers(&servers[0].address, client, until)));
    let ((answers, commit), _) = try_join(try_join(clients, longest_commit(database, until)), others).await?;
    let mut answers: Vec<Instant> = answers.into_iter().flatten().collect();
    answers.sort_unstable();
    let stall = answers.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(sizes.load);
    Ok((milliseconds(stall), milliseconds(commit)))
}

/// When each registration of one client was answered.
async fn answers(address: &str, client: usize, until: Instant) -> Result<Vec<Instant>> {
    let mut connection = Connection::open(address).await?;
    let mut answered = Vec::new();
    while Instant::now() < until {
        let location = (answered.len() + client) % LOCATIONS + 1;
        connection.post("/register", &registration(location)).await?;
        answered.push(Instant::now());
    }
    Ok(answered)
}

fn registration(location: usize) -> Value {
    json!({
        "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance", "environment": "prod",
        "triggered_by": "user1", "factor": 0, "location": format!("hot-{location}"),
    })
}

async fn longest_commit(database: &Database, until: Instant) -> Result<Duration> {
    let client = database.connect().await?;
    client.batch_execute("CREATE TABLE IF NOT EXISTS bare_commit (number INTEGER NOT NULL)").await?;
    let mut longest = Duration::ZERO;
    while Instant::now() < until {
        let start = Instant::now();
        client.execute("INSERT INTO bare_commit (number) VALUES (1)", &[]).await?;
        longest = longest.max(start.elapsed());
    }
    Ok(longest)
}
