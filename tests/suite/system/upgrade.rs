//! Two versions on one database at once, back and forth.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use perfreg::domain::capacity::factor::Factor;
use reqwest::Method;
use serde_json::{Value, json};

use super::evidence::{Admitted, Saved, assert_clients_never_saw_it_full};
use crate::on_both_databases;
use crate::store::migrations::add_a_later_migration;
use crate::support::http::{Http, Reply, example};
use crate::support::server::{PATIENCE, TestServer, program};

const CLIENTS: usize = 6;
/// How long each pair of versions runs under load.
const A_WHILE: Duration = Duration::from_millis(400);
/// The binary of the version before; `scripts/rolling-upgrade` builds and names it.
const PREVIOUS_VARIABLE: &str = "PERFREG_TEST_PREVIOUS";

/// A server, and whether it is ready, as a balancer learns from `/readyz`.
#[derive(Clone)]
struct Backend {
    http: Http,
    is_ready: Arc<AtomicBool>,
}

/// Asks one server after the other until one answers, as a balancer does.
async fn ask(servers: &[Backend], path: &str, key: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let give_up = Instant::now() + PATIENCE;
    for server in servers.iter().cycle() {
        if !server.is_ready.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        match server.http.try_send_with(Method::POST, path, &headers, body.to_string()).await {
            Ok(reply) => return reply,
            Err(error) => assert!(Instant::now() < give_up, "nobody answers: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    unreachable!("there is a server")
}

async fn client(number: usize, mut servers: Vec<Backend>, stop: Arc<AtomicBool>, runs: Arc<Mutex<Vec<Admitted>>>) {
    // Each has another favourite.
    let count = servers.len();
    servers.rotate_left(number % count);
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("upgrade-{number}-{turn}");
        let lease = (turn % 2 == 0).then_some(60);
        // A version of before there was a rule for names takes the second spelling for another location.
        let location = if turn % 3 == 0 { "here\u{a0}" } else { "here" };
        let body = example(json!({"factor": 0.15, "location": location, "lease_seconds": lease}));
        let reply = ask(&servers, "/register", &key, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let run = reply.json();
        let (run_id, answered_at) = (run["run_id"].as_i64().expect("a run_id"), Instant::now());
        let body = json!({"run_id": run_id, "status": "success", "lease_token": run["lease_token"]});
        let end_sent_at = Some(Instant::now());
        let reply = ask(&servers, "/complete", &key, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        runs.lock().expect("no panic").push(Admitted {
            run_id,
            id: run["id"].as_str().expect("an id").to_owned(),
            factor: Factor::parse("0.15").expect("a factor"),
            answered_at,
            end_sent_at,
            acknowledged_status: Some("success".to_owned()),
        });
    }
}

fn start(binary: &Path, port: Option<u16>, url: &str) -> TestServer {
    let listen = format!("127.0.0.1:{}", port.unwrap_or_default());
    TestServer::start_with(program(binary).args(["serve", "--listen", &listen, "--database", url]))
}

on_both_databases! {
    async fn two_versions_share_one_database_back_and_forth_and_nobody_sees_an_error(database: &TestDatabase) {
        let this = PathBuf::from(env!("CARGO_BIN_EXE_perfreg"));
        let previous = std::env::var_os(PREVIOUS_VARIABLE).map(PathBuf::from);
        // Without another binary this one is the version before: the tables become those of a later one.
        let (before, after) = (previous.clone().unwrap_or_else(|| this.clone()), this);
        // A file has one server at a time.
        let count = if database.url.starts_with("sqlite:") { 1 } else { 2 };
        let mut servers: Vec<_> = (0..count).map(|_| start(&before, None, &database.url)).collect();
        let (runs, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let all: Vec<_> = servers
            .iter()
            .map(|server| Backend { http: server.http(), is_ready: Arc::new(AtomicBool::new(true)) })
            .collect();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| tokio::spawn(client(number, all.clone(), Arc::clone(&stop), Arc::clone(&runs))))
            .collect();
        tokio::time::sleep(A_WHILE).await;
        if previous.is_none() {
            add_a_later_migration(database).await;
        }
        for binary in [&after, &before, &after] {
            for (server, backend) in servers.iter_mut().zip(&all) {
                let port = server.port();
                server.signal("TERM");
                assert!(server.wait().success());
                // One that has begun to listen answers 503 until it has looked at its database.
                backend.is_ready.store(false, Ordering::SeqCst);
                *server = start(binary, Some(port), &database.url);
                backend.is_ready.store(true, Ordering::SeqCst);
                tokio::time::sleep(A_WHILE).await;
            }
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.expect("no error");
        }
        let runs = runs.lock().expect("no panic").clone();
        println!("{} registered and completed, 0 errors", runs.len());
        assert!(runs.len() > 10, "hardly anything was asked");
        assert_clients_never_saw_it_full(&runs);
        let saved = Saved::read(database).await;
        saved.assert_holds(&runs);
        saved.assert_sums();
        saved.assert_never_full();
    }
}
