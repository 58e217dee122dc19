//! 50,000 tests with a lease that are alive, each heard of every 20 seconds, through one replica.

use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::connection::Connection;
use crate::database::{Database, Engine};
use crate::process;
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, Times, count, number};
use crate::table::{Report, Row};

/// So many beats may be on their way at the same time. The runners have a connection each.
const CONNECTIONS: usize = 512;
/// Long enough that none is lost while the others are still being registered.
const LEASE_SECONDS: u32 = 300;

/// How the leases are spread.
#[derive(Clone, Copy)]
struct Shape {
    locations: usize,
    /// So small that all fit.
    factor: &'static str,
}

const SHAPES: [Shape; 2] = [Shape { locations: 500, factor: "0.001" }, Shape { locations: 1, factor: "0.000001" }];

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let mut rows = Vec::new();
    for engine in [Engine::Postgres, Engine::Sqlite] {
        for shape in SHAPES {
            rows.push(row(engine, shape, sizes).await?);
        }
    }
    Ok(Report { rows, details: None })
}

async fn row(engine: Engine, shape: Shape, sizes: &Sizes) -> Result<Row> {
    let database = Database::new(engine)?;
    let server = Server::start(&database)?;
    let begin = Instant::now();
    let leases = fill(&server.address, shape, sizes.leases).await?;
    eprintln!("{engine}: {} leases at {} locations in {:.1?}", sizes.leases, shape.locations, begin.elapsed());
    // Until each has been heard of once, so that the beats have found their rhythm.
    let begin = Instant::now();
    let from = begin + sizes.beat;
    let until = from + sizes.beating;
    let mut beaters = JoinSet::new();
    for (connection, leases) in leases.into_iter().enumerate() {
        // Not all at the same moment.
        let first = begin + sizes.beat.mul_f64(count(connection) / count(sizes.leases));
        let ticks = interval_at(first.into(), sizes.beat / u32::try_from(leases.len().max(1))?);
        beaters.spawn(beat(server.address.clone(), leases, ticks, from, until));
    }
    sleep_until(from.into()).await;
    let before = process::processor_time(server.pid())?;
    sleep_until(until.into()).await;
    let used = process::processor_time(server.pid())?.saturating_sub(before);
    let mut times = Times::default();
    while let Some(beaten) = beaters.join_next().await {
        times.add_all(beaten??);
    }
    let cores = used.as_secs_f64() / sizes.beating.as_secs_f64();
    let (heard, intended) = (count(times.count()), beats_intended(sizes));
    let more = format!(
        "{} of {} beats answered, p50 {} ms, p99 {} ms",
        number(heard),
        number(intended),
        number(times.percentile(50)),
        number(times.percentile(99))
    );
    let locations =
        if shape.locations == 1 { "one location".to_owned() } else { format!("{} locations", shape.locations) };
    let what = format!(
        "cores that one replica takes for {} leases at {locations}, a beat every {} s, {engine}",
        number(count(sizes.leases)),
        sizes.beat.as_secs()
    );
    let row = Row::at_most(what, 0.5, "", &Spread::of(vec![cores]), &more);
    // A replica that falls behind takes little, too.
    Ok(row.only_if(heard > 0.98 * intended))
}

fn beats_intended(sizes: &Sizes) -> f64 {
    count(sizes.leases) * sizes.beating.as_secs_f64() / sizes.beat.as_secs_f64()
}

/// Registers all, and gives the bodies of their beats, divided among the connections.
async fn fill(address: &str, shape: Shape, leases: usize) -> Result<Vec<Vec<Value>>> {
    let mut fillers = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let numbers = (connection..leases).step_by(CONNECTIONS);
        fillers.spawn(register(address.to_owned(), shape, numbers.collect()));
    }
    let mut filled = Vec::new();
    while let Some(beats) = fillers.join_next().await {
        filled.push(beats??);
    }
    Ok(filled)
}

async fn register(address: String, shape: Shape, numbers: Vec<usize>) -> Result<Vec<Value>> {
    let mut connection = Connection::open(&address).await?;
    let mut beats = Vec::new();
    for number in numbers {
        let registration = json!({
            "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance",
            "environment": "prod", "triggered_by": "user1", "factor": shape.factor,
            "location": format!("leased-{}", number % shape.locations), "lease_seconds": LEASE_SECONDS,
            "expected_seconds": 3_600,
        });
        let run = connection.post("/register", &registration).await?;
        beats.push(json!({"run_id": run["run_id"], "lease_token": run["lease_token"]}));
    }
    Ok(beats)
}

/// Beats for its leases one after the other, one at each tick; the times of those that count.
async fn beat(address: String, beats: Vec<Value>, mut ticks: Interval, from: Instant, until: Instant) -> Result<Times> {
    let mut connection = Connection::open(&address).await?;
    // One that came late does not put off those behind it.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut times = Times::default();
    for body in beats.iter().cycle() {
        ticks.tick().await;
        let start = Instant::now();
        if start >= until {
            break;
        }
        connection.post("/heartbeat", body).await?;
        if start >= from {
            times.add_since(start);
        }
    }
    Ok(times)
}
