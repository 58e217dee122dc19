//! Everything at once on one replica: clients that register, are alive, look at what runs and
//! complete, each followed by a long poll that waits for the end.

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::database::{Database, Engine};
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, Times, count};
use crate::table::{Report, Row};

const CLIENTS: usize = 64;
const LOCATIONS: usize = 16;
const BEATS: usize = 5;
const KINDS: [&str; 5] = ["register", "heartbeat", "status", "complete", "completion seen by a long poll"];

/// Of each kind.
type AllTimes = [Times; KINDS.len()];

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let mut rows = Vec::new();
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let mut rates = Vec::new();
        let mut percentiles: [(Vec<f64>, Vec<f64>); KINDS.len()] = Default::default();
        for round in 1..=sizes.rounds {
            let mut times = one_round(engine, sizes).await?;
            rates.push(times.iter().map(|times| count(times.count())).sum::<f64>() / sizes.load.as_secs_f64());
            for (times, (p50, p99)) in times.iter_mut().zip(&mut percentiles) {
                p50.push(times.percentile(50));
                p99.push(times.percentile(99));
            }
            eprintln!("{engine}: round {round} of {}", sizes.rounds);
        }
        let kinds = KINDS
            .iter()
            .zip(percentiles)
            .map(|(kind, (p50, p99))| format!("{kind} p50 {} ms, p99 {} ms", Spread::of(p50), Spread::of(p99)));
        rows.push(Row::told(
            format!("{CLIENTS} clients that register, beat {BEATS} times, ask for the status and complete, as many long polls; {engine}"),
            " calls a second",
            &Spread::of(rates),
            &kinds.collect::<Vec<_>>().join("; "),
        ));
    }
    Ok(Report { rows, details: None })
}

async fn one_round(engine: Engine, sizes: &Sizes) -> Result<AllTimes> {
    let database = Database::new(engine)?;
    let server = Server::start(&database)?;
    let until = Instant::now() + sizes.load;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(Client::run(server.address.clone(), client, until));
    }
    let mut all = AllTimes::default();
    while let Some(times) = clients.join_next().await {
        for (all, times) in all.iter_mut().zip(times??) {
            all.add_all(times);
        }
    }
    Ok(all)
}

struct Client {
    connection: Connection,
    times: AllTimes,
}

impl Client {
    async fn run(address: String, client: usize, until: Instant) -> Result<AllTimes> {
        let mut this = Self { connection: Connection::open(&address).await?, times: AllTimes::default() };
        // The poller is told what to watch, and tells when it has seen the end.
        let (watch, watched) = mpsc::channel(1);
        let (seen, mut ends) = mpsc::channel(1);
        let poller = tokio::spawn(poll(Connection::open(&address).await?, watched, seen));
        while Instant::now() < until {
            this.live(client, &watch, &mut ends).await?;
        }
        drop(watch);
        poller.await??;
        Ok(this.times)
    }

    /// The life of one test.
    async fn live(
        &mut self,
        client: usize,
        watch: &mpsc::Sender<String>,
        ends: &mut mpsc::Receiver<Instant>,
    ) -> Result<()> {
        let run = self.call(0, "/register", &registration(client)).await?;
        let (run_id, token) = (&run["run_id"], &run["lease_token"]);
        let path = format!("/executions/{run_id}?wait_seconds=20&version={}", run["version"]);
        watch.send(path).await.context("the poller has ended")?;
        for _ in 0..BEATS {
            self.call(1, "/heartbeat", &json!({"run_id": run_id, "lease_token": token})).await?;
        }
        let start = Instant::now();
        self.connection.get("/status").await?;
        self.times[2].add_since(start);
        let start = Instant::now();
        self.call(3, "/complete", &json!({"run_id": run_id, "lease_token": token, "status": "success"})).await?;
        let seen = ends.recv().await.context("the poller has ended")?;
        self.times[4].add(seen.duration_since(start));
        Ok(())
    }

    async fn call(&mut self, kind: usize, path: &str, body: &Value) -> Result<Value> {
        let start = Instant::now();
        let answer = self.connection.post(path, body).await?;
        self.times[kind].add_since(start);
        Ok(answer)
    }
}

async fn poll(
    mut connection: Connection,
    mut watched: mpsc::Receiver<String>,
    seen: mpsc::Sender<Instant>,
) -> Result<()> {
    while let Some(path) = watched.recv().await {
        connection.get(&path).await?;
        if seen.send(Instant::now()).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn registration(client: usize) -> Value {
    json!({
        "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance", "environment": "prod",
        "triggered_by": format!("user{client}"), "factor": 0.01, "location": format!("mixed-{}", client % LOCATIONS),
        "lease_seconds": 60, "expected_seconds": 60,
    })
}
