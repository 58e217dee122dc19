//! Many waiters, several replicas, and replicas that are killed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::evidence::Saved;
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::{Http, Reply, example};
use crate::support::server::{TestServer, perfreg};

const WAITERS: usize = 500;
const REPLICAS: usize = 3;
const KILLS: usize = 4;
/// Long enough for 500 short runs, about eight at once, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// The replicas, each on a port of its own that it keeps when it is started again.
struct Replicas {
    urls: Vec<String>,
    ports: Vec<u16>,
    database_url: String,
    running: Mutex<Vec<TestServer>>,
}

impl Replicas {
    fn start(database: &TestDatabase) -> Self {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let ports: Vec<u16> = (0..REPLICAS).map(|_| free().expect("a free port").port()).collect();
        let database_url = database.url.clone();
        let running = ports.iter().map(|port| serve(*port, &database_url)).collect();
        let urls = ports.iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
        Self { urls, ports, database_url, running: Mutex::new(running) }
    }

    fn kill_and_restart(&self, index: usize) {
        let mut running = self.running.lock().expect("no panic");
        running[index].kill();
        running[index] = serve(self.ports[index], &self.database_url);
    }
}

fn serve(port: u16, database_url: &str) -> TestServer {
    let listen = format!("127.0.0.1:{port}");
    TestServer::start_with(perfreg().args(["serve", "--listen", &listen, "--database", database_url]))
}

/// Asks one replica after the other until one answers.
async fn ask(https: &[Http], turn: &mut usize, path: &str, body: &Value) -> Reply {
    let give_up = Instant::now() + PATIENCE;
    loop {
        *turn += 1;
        let http = &https[*turn % https.len()];
        match http.try_send(Method::POST, path, "application/json", body.to_string()).await {
            Ok(reply) if reply.status != StatusCode::SERVICE_UNAVAILABLE => return reply,
            _ => assert!(Instant::now() < give_up, "no replica answers"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits for its turn, runs for a moment, completes, and gives back its run_id. A register whose
/// answer was lost leaves a waiter or a run behind that nobody beats for; it goes with its lease.
async fn waiter(number: usize, https: Arc<Vec<Http>>) -> i64 {
    let mut turn = number;
    let request =
        example(json!({"factor": 0.12, "wait_seconds": 600, "lease_seconds": 10, "test": format!("w{number}")}));
    let registered = ask(&https, &mut turn, "/register", &request).await;
    assert!(matches!(registered.status.as_u16(), 200 | 202), "{}", registered.text);
    let run = registered.json();
    let mut status = run["status"].clone();
    let beat = json!({"run_id": run["run_id"], "lease_token": run["lease_token"], "wait_seconds": 10});
    while status == "queued" {
        let heard = ask(&https, &mut turn, "/heartbeat", &beat).await;
        assert_eq!(heard.status, 200, "{}", heard.text);
        status = heard.json()["status"].clone();
    }
    assert_eq!(status, "running");
    let complete = json!({"run_id": run["run_id"], "lease_token": run["lease_token"], "status": "success"});
    let completed = ask(&https, &mut turn, "/complete", &complete).await;
    assert_eq!(completed.status, 200, "{}", completed.text);
    run["run_id"].as_i64().expect("a run_id")
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_waiters_each_start_once_while_replicas_are_killed() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let replicas = Arc::new(Replicas::start(&database));
    let https: Arc<Vec<Http>> = Arc::new(replicas.urls.iter().map(|url| Http::new(url)).collect());
    let waiters: Vec<_> = (0..WAITERS).map(|number| tokio::spawn(waiter(number, Arc::clone(&https)))).collect();
    let killer = {
        let replicas = Arc::clone(&replicas);
        tokio::task::spawn_blocking(move || {
            for kill in 0..KILLS {
                std::thread::sleep(Duration::from_millis(700));
                replicas.kill_and_restart(kill % REPLICAS);
            }
        })
    };
    let mut ran = HashSet::new();
    for waiter in waiters {
        assert!(ran.insert(waiter.await.expect("no waiter saw a contradiction")), "each has a run of its own");
    }
    killer.await.expect("the replicas came back");

    let saved = Saved::read(&database).await;
    saved.assert_sums();
    saved.assert_never_full();
    let done: HashSet<i64> =
        saved.executions.iter().filter(|run| run.status.as_str() == "success").map(|run| run.run_id.0).collect();
    assert_eq!(done, ran, "what its client knows of has run, and nothing else has succeeded");
    let fences: Vec<i64> = saved.executions.iter().filter_map(|run| run.fence).collect();
    let different: HashSet<&i64> = fences.iter().collect();
    assert_eq!(different.len(), fences.len(), "each start has a fence of its own");
}
