//! 10,000 held long polls and event streams on one replica: its memory, and the time from a change
//! until all of them have it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::database::{Database, Engine};
use crate::process;
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, Times, count, number};
use crate::table::{Report, Row};

/// So many connect at the same time; more would overflow the queue of the listening socket.
const CONNECTING: usize = 100;
/// A long poll that was sent says nothing until it is answered.
const UNTIL_HELD: Duration = Duration::from_secs(2);
/// Long polls end by themselves after 30 seconds.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let mut rows = Vec::new();
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let (mut memory, mut last, mut half) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=sizes.rounds {
            let held = one_round(engine, sizes.watchers).await?;
            memory.push(held.memory);
            let mut times = held.times;
            half.push(times.percentile(50));
            last.push(times.percentile(100));
            eprintln!("{engine}: round {round} of {}", sizes.rounds);
        }
        let polls = format!("{} long polls and event streams, half of each, {engine}", number(count(sizes.watchers)));
        rows.push(Row::at_most(
            format!("memory of a replica that holds {polls}"),
            200.0,
            " MiB",
            &Spread::of(memory),
            "",
        ));
        rows.push(Row::at_most(
            format!("from a completion until all have it: {polls}"),
            1_000.0,
            " ms",
            &Spread::of(last),
            &format!("half of them have it after {} ms", Spread::of(half)),
        ));
    }
    Ok(Report { rows, details: None })
}

struct Held {
    memory: f64,
    times: Times,
}

async fn one_round(engine: Engine, watchers: usize) -> Result<Held> {
    let database = Database::new(engine)?;
    let server = Server::start(&database)?;
    let mut connection = Connection::open(&server.address).await?;
    let run = connection.post("/register", &registration()).await?;
    let (mut waiting, mut asked) = watch_all(&server.address, &run, watchers);
    for _ in 0..watchers {
        if asked.recv().await.is_none() {
            // Some have ended; this says why.
            while let Some(watcher) = waiting.join_next().await {
                watcher??;
            }
            bail!("the watchers have ended");
        }
    }
    sleep(UNTIL_HELD).await;
    let memory = process::memory(server.pid())?;
    let start = Instant::now();
    connection.post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await?;
    let mut seen = Vec::with_capacity(watchers);
    while let Some(watcher) = timeout(PATIENCE, waiting.join_next()).await.context("not all have the change")? {
        let at = watcher??;
        anyhow::ensure!(at > start, "a watcher was answered before anything had changed");
        seen.push(at.duration_since(start));
    }
    Ok(Held { memory, times: seen.into_iter().collect() })
}

type Watchers = JoinSet<Result<Instant>>;

/// Starts all; the receiver gets a message from each that has asked, and ends if one fails.
fn watch_all(address: &str, run: &Value, watchers: usize) -> (Watchers, mpsc::Receiver<()>) {
    let (asked, all_asked) = mpsc::channel(CONNECTING);
    let connecting = Arc::new(Semaphore::new(CONNECTING));
    let mut waiting = JoinSet::new();
    for watcher in 0..watchers {
        let (address, connecting, asked) = (address.to_owned(), Arc::clone(&connecting), asked.clone());
        let poll = format!("/executions/{}?wait_seconds=30&version={}", run["run_id"], run["version"]);
        waiting.spawn(async move {
            let permit = connecting.acquire_owned().await?;
            let connection = Connection::open(&address).await?;
            if watcher % 2 == 0 {
                drop(permit);
                asked.send(()).await?;
                held_poll(connection, &poll).await
            } else {
                let mut stream = Stream::open(connection).await?;
                drop(permit);
                asked.send(()).await?;
                stream.until(r#""kind":"ended""#).await
            }
        });
    }
    (waiting, all_asked)
}

async fn held_poll(mut connection: Connection, path: &str) -> Result<Instant> {
    let answer = connection.get_json(path).await?;
    anyhow::ensure!(answer["status"] == "success", "a long poll was answered with {answer}");
    Ok(Instant::now())
}

struct Stream {
    body: Incoming,
    text: String,
    /// Closes the stream when it is dropped.
    _connection: Connection,
}

impl Stream {
    /// Follows all events; the first message, which says where the stream begins, has come.
    async fn open(mut connection: Connection) -> Result<Self> {
        let response = connection.send(Method::GET, "/events", "text/event-stream", String::new()).await?;
        let mut stream = Self { body: response.into_body(), text: String::new(), _connection: connection };
        stream.until("id:").await?;
        Ok(stream)
    }

    /// When a text came.
    async fn until(&mut self, text: &str) -> Result<Instant> {
        while !self.text.contains(text) {
            let frame = self.body.frame().await.context("the stream ended")??;
            if let Some(data) = frame.data_ref() {
                self.text.push_str(&String::from_utf8_lossy(data));
            }
        }
        Ok(Instant::now())
    }
}

fn registration() -> Value {
    json!({
        "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance", "environment": "prod",
        "triggered_by": "user1", "factor": 0.5, "location": "watched", "expected_seconds": 60,
    })
}
