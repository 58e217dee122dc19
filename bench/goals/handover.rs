//! How long it takes from a completion to the answer of the next waiter.
//!
//! Two servers on one PostgreSQL database; 1,000 tests wait for one location with held heartbeats,
//! half of them at each server. Whoever runs is completed at the first server, time and again. The
//! time begins when the completion is sent and ends when the next waiter has its answer.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::database::{Database, Engine};
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, Times};
use crate::table::{Report, Row};

const HOLD_SECONDS: u32 = 30;
const LOCATION: &str = "handed-over";
const PATIENCE: Duration = Duration::from_mins(1);
/// The first handovers do not count: one in ten.
const WARM_UP_SHARE: usize = 10;

/// Somebody who runs now, and when they knew.
struct Started {
    run_id: Value,
    lease_token: Value,
    replica: usize,
    at: Instant,
}

/// What several rounds gave for the waiters of one replica.
#[derive(Default)]
struct Rounds {
    p50: Vec<f64>,
    p99: Vec<f64>,
    largest: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, mut times: Times) {
        self.p50.push(times.percentile(50));
        self.p99.push(times.percentile(99));
        self.largest.push(times.percentile(100));
    }

    fn row(self, held_by: &str, goal: f64) -> Row {
        let more = format!("p50 {} ms, largest {} ms", Spread::of(self.p50), Spread::of(self.largest));
        let what = format!("from a completion to the answer of the next waiter, held by {held_by}, PostgreSQL (p99)");
        Row::at_most(what, goal, " ms", &Spread::of(self.p99), &more)
    }
}

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let (mut same, mut other) = (Rounds::default(), Rounds::default());
    for round in 1..=sizes.rounds {
        let [at_same, at_other] = one_round(sizes).await?;
        same.add(at_same);
        other.add(at_other);
        eprintln!("round {round} of {}", sizes.rounds);
    }
    Ok(Report { rows: vec![same.row("the same replica", 20.0), other.row("the other replica", 50.0)], details: None })
}

async fn one_round(sizes: &Sizes) -> Result<[Times; 2]> {
    let database = Database::new(Engine::Postgres)?;
    let servers = [Server::start(&database)?, Server::start(&database)?];
    let (sender, mut started) = mpsc::channel(sizes.waiters);
    let mut connection = Connection::open(&servers[0].address).await?;
    // They end with this round.
    let mut waiters = JoinSet::new();
    waiters.spawn(wait(servers[0].address.clone(), 0, sender.clone()));
    let mut running = next(&mut started).await?;
    for waiter in 0..sizes.waiters {
        waiters.spawn(wait(servers[waiter % 2].address.clone(), waiter % 2, sender.clone()));
    }
    let begin = Instant::now();
    while waiting(&mut connection).await? < sizes.waiters {
        anyhow::ensure!(begin.elapsed() < PATIENCE, "not all wait within {PATIENCE:?}");
        sleep(Duration::from_millis(100)).await;
    }
    let mut times = [Times::default(), Times::default()];
    let warm_up = sizes.handovers / WARM_UP_SHARE;
    for handover in 0..warm_up + sizes.handovers {
        let complete = json!({"run_id": running.run_id, "lease_token": running.lease_token, "status": "success"});
        let sent = Instant::now();
        connection.post("/complete", &complete).await?;
        let follower = next(&mut started).await?;
        if handover >= warm_up {
            times[follower.replica].add(follower.at.duration_since(sent));
        }
        // Whoever has started is followed by a new one at the same replica.
        waiters.spawn(wait(servers[follower.replica].address.clone(), follower.replica, sender.clone()));
        running = follower;
    }
    Ok(times)
}

async fn next(started: &mut mpsc::Receiver<Result<Started>>) -> Result<Started> {
    let next = timeout(PATIENCE, started.recv()).await.context("nobody starts")?;
    next.context("nobody waits")?
}

/// Waits at this replica until it runs, and then says so.
async fn wait(address: String, replica: usize, started: mpsc::Sender<Result<Started>>) {
    let outcome = wait_for_start(&address, replica).await;
    // The benchmark may be over.
    let _ = started.send(outcome).await;
}

async fn wait_for_start(address: &str, replica: usize) -> Result<Started> {
    let registration = json!({
        "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance", "environment": "prod",
        "triggered_by": "user1", "location": LOCATION, "factor": 0.6, "wait_seconds": 86_400, "lease_seconds": 3_600,
        "expected_seconds": 60,
    });
    let mut connection = Connection::open(address).await?;
    let waiter = connection.post("/register", &registration).await?;
    let (run_id, lease_token) = (waiter["run_id"].clone(), waiter["lease_token"].clone());
    let beat = json!({"run_id": run_id, "lease_token": lease_token, "wait_seconds": HOLD_SECONDS});
    let mut status = waiter["status"].clone();
    while status == "queued" {
        status = connection.post("/heartbeat", &beat).await?["status"].clone();
    }
    Ok(Started { run_id, lease_token, replica, at: Instant::now() })
}

async fn waiting(connection: &mut Connection) -> Result<usize> {
    let locations = connection.get_json("/locations").await?;
    let here = locations["locations"].as_array().into_iter().flatten().find(|location| location["name"] == LOCATION);
    let waiting = here.and_then(|location| location["waiting"].as_u64()).unwrap_or(0);
    Ok(usize::try_from(waiting)?)
}
