//! How long it takes from a completion to the answer of the next waiter.
//!
//! Run it with `scripts/with-postgres --durable cargo bench --bench handover`. It starts two servers on
//! one new PostgreSQL database, lets 1,000 tests wait for one location with held heartbeats, half
//! of them at each server, and completes whoever runs at the first server, time and again. The
//! time begins when the completion is sent and ends when the next waiter has its answer.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_postgres::NoTls;

const WAITERS: usize = 1_000;
const WARM_UP: usize = 50;
const HANDOVERS: usize = 500;
const HOLD_SECONDS: u32 = 30;
const LOCATION: &str = "bench";

/// A server that ends with the benchmark.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(database: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_perfreg"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--database", database])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.split_once("Running tests  ").map(|(_, url)| url.trim().to_owned()));
        let url = address.expect("the server says where it listens").trim_end_matches("/status-html").to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who runs now, and when they knew.
struct Started {
    run_id: i64,
    lease_token: String,
    replica: usize,
    at: Instant,
}

struct Bench {
    http: Client,
    servers: [Server; 2],
}

impl Bench {
    async fn post(&self, replica: usize, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.servers[replica].url)).json(body);
        let response = request.send().await.expect("an answer");
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.expect("JSON")
    }

    /// Registers one who waits at this replica until they run, and then says so.
    async fn wait(self: Arc<Self>, replica: usize, started: mpsc::Sender<Started>) {
        let request = json!({
            "repo": "bench", "lac": "bench", "stream": "bench", "test": "bench", "type": "bench", "environment": "bench",
            "triggered_by": "bench", "location": LOCATION, "factor": 0.6, "wait_seconds": 86_400, "lease_seconds": 3_600,
            "expected_seconds": 60,
        });
        let waiter = self.post(replica, "/register", &request).await;
        let (run_id, lease_token) = (&waiter["run_id"], &waiter["lease_token"]);
        let beat = json!({"run_id": run_id, "lease_token": lease_token, "wait_seconds": HOLD_SECONDS});
        let mut status = waiter["status"].clone();
        while status == "queued" {
            status = self.post(replica, "/heartbeat", &beat).await["status"].clone();
        }
        let at = Instant::now();
        let run_id = run_id.as_i64().expect("a number");
        let lease_token = lease_token.as_str().expect("a secret").to_owned();
        // The benchmark may be over.
        let _ = started.send(Started { run_id, lease_token, replica, at }).await;
    }

    /// Completes a run at the first replica and gives the time until the next one knows, and who
    /// that is.
    async fn hand_over(&self, run: &Started, started: &mut mpsc::Receiver<Started>) -> (Duration, Started) {
        let complete = json!({"run_id": run.run_id, "lease_token": run.lease_token, "status": "success"});
        let sent = Instant::now();
        self.post(0, "/complete", &complete).await;
        let next = started.recv().await.expect("somebody waits");
        (next.at.duration_since(sent), next)
    }
}

async fn new_database() -> String {
    let server = std::env::var("PERFREG_TEST_POSTGRES_URL").expect(
        "PERFREG_TEST_POSTGRES_URL is not set; run scripts/with-postgres --durable cargo bench --bench handover",
    );
    let (client, connection) = tokio_postgres::connect(&server, NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(connection);
    let name = format!("handover_{}", std::process::id());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a new database");
    let (address, _) = server.rsplit_once('/').expect("the URL names a database");
    format!("{address}/{name}")
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let percentile = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1_000.0;
    println!(
        "{name}: p50 {:.1} ms, p99 {:.1} ms, largest {:.1} ms of {} handovers",
        percentile(50),
        percentile(99),
        percentile(100),
        times.len()
    );
}

#[tokio::main]
async fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` only wants to know that it still compiles.
        return;
    }
    let database = new_database().await;
    let servers = [Server::start(&database), Server::start(&database)];
    let bench = Arc::new(Bench { http: Client::builder().no_proxy().build().expect("a client"), servers });
    let (sender, mut started) = mpsc::channel(WAITERS);
    tokio::spawn(Arc::clone(&bench).wait(0, sender.clone()));
    let mut running = started.recv().await.expect("the first starts at once");
    for waiter in 0..WAITERS {
        tokio::spawn(Arc::clone(&bench).wait(waiter % 2, sender.clone()));
    }
    while waiting(&bench).await < WAITERS {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut times = [Vec::new(), Vec::new()];
    for handover in 0..WARM_UP + HANDOVERS {
        let (time, next) = bench.hand_over(&running, &mut started).await;
        if handover >= WARM_UP {
            times[next.replica].push(time);
        }
        // Whoever has started is followed by a new one at the same replica.
        tokio::spawn(Arc::clone(&bench).wait(next.replica, sender.clone()));
        running = next;
    }
    let [same, other] = times;
    print("same replica", same);
    print("other replica", other);
}

async fn waiting(bench: &Bench) -> usize {
    let locations = bench.http.get(format!("{}/locations", bench.servers[0].url)).send().await.expect("an answer");
    let locations: Value = locations.json().await.expect("JSON");
    let here = locations["locations"].as_array().into_iter().flatten().find(|location| location["name"] == LOCATION);
    here.and_then(|location| location["waiting"].as_u64()).and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}
