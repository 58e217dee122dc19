//! Many clients at once: the promise that everything else rests on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use perfreg::domain::capacity::factor::Factor;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::evidence::{Admitted, Saved, assert_clients_never_saw_it_full};
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::{Http, example};
use crate::support::server::TestServer;

const ROUNDS: usize = 20;
const CLIENTS_PER_ROUND: usize = 32;
const RANDOM_CLIENTS: u8 = 200;
const STEPS_PER_CLIENT: usize = 12;

async fn three_tenths_at_once(https: &[Http]) {
    for round in 0..ROUNDS {
        let location = format!("round-{round}");
        let attempts = (0..CLIENTS_PER_ROUND).map(|client| {
            let (http, location) = (https[client % https.len()].clone(), location.clone());
            tokio::spawn(async move {
                http.post("/register", &example(json!({"factor": 0.3, "location": location}))).await.status
            })
        });
        let mut answers = Vec::new();
        for attempt in attempts.collect::<Vec<_>>() {
            answers.push(attempt.await.expect("no panic").as_u16());
        }
        answers.sort_unstable();
        let expected = [vec![200; 3], vec![409; CLIENTS_PER_ROUND - 3]].concat();
        assert_eq!(answers, expected, "round {round}");
    }
}

fn parse(factor: &Value) -> Factor {
    Factor::parse(&factor.to_string()).expect("a factor")
}

/// Registers, and after a while ends what was admitted, each time at another server.
async fn random_client(client: u8, https: Arc<Vec<Http>>, runs: Arc<Mutex<Vec<Admitted>>>, refused: Arc<AtomicUsize>) {
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[client; 32]);
    let mut below = move |bound: usize| random.next_u32() as usize % bound;
    for _ in 0..STEPS_PER_CLIENT {
        let (http, ender) = (&https[below(https.len())], &https[below(https.len())]);
        let factor = Factor::from_millionths(below(600_000) as i64);
        let request = example(json!({"factor": factor.to_string(), "location": "busy"}));
        let reply = http.post("/register", &request).await;
        let answer = reply.json();
        if reply.status == StatusCode::CONFLICT {
            let would_be = parse(&answer["running_factor"]) + parse(&answer["requested_factor"]);
            assert!(would_be >= Factor::ONE, "refused although it fits: {answer}");
            refused.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        assert_eq!(reply.status, 200, "{}", reply.text);
        let mut run = Admitted {
            run_id: answer["run_id"].as_i64().expect("a run_id"),
            id: answer["id"].as_str().expect("an id").to_owned(),
            factor,
            answered_at: Instant::now(),
            end_sent_at: None,
            acknowledged_status: None,
        };
        tokio::time::sleep(Duration::from_millis(below(20) as u64)).await;
        if below(20) > 0 {
            run.end_sent_at = Some(Instant::now());
            let reply = match below(3) {
                0 => ender.post_text(&format!("/cancel?run_id={}", run.run_id), "").await,
                1 => ender.post("/complete", &json!({"run_id": run.run_id, "status": "success"})).await,
                _ => ender.post("/complete", &json!({"run_id": run.run_id, "status": "failed"})).await,
            };
            assert_eq!(reply.status, 200, "{}", reply.text);
            run.acknowledged_status = reply.json()["status"].as_str().map(str::to_owned);
        }
        runs.lock().expect("no panic in between").push(run);
    }
}

async fn race(database: &TestDatabase, servers: &[TestServer]) {
    let https: Arc<Vec<Http>> = Arc::new(servers.iter().map(TestServer::http).collect());
    three_tenths_at_once(&https).await;

    let runs = Arc::new(Mutex::new(Vec::new()));
    let refused = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..RANDOM_CLIENTS)
        .map(|client| tokio::spawn(random_client(client, Arc::clone(&https), Arc::clone(&runs), Arc::clone(&refused))))
        .collect();
    for client in clients {
        client.await.expect("no client saw a contradiction");
    }
    let runs = runs.lock().expect("no panic").clone();
    let refused = refused.load(Ordering::Relaxed);
    assert_eq!(runs.len() + refused, usize::from(RANDOM_CLIENTS) * STEPS_PER_CLIENT);
    assert!(runs.len() > 50 && refused > 50, "{} admitted and {refused} refused test little", runs.len());

    assert_clients_never_saw_it_full(&runs);
    let saved = Saved::read(database).await;
    saved.assert_holds(&runs);
    saved.assert_sums();
    saved.assert_never_full();
    assert_eq!(saved.executions.len(), runs.len() + 3 * ROUNDS, "nothing started that nobody was told of");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_on_one_postgresql_never_admit_too_much() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let servers = [(); 3].map(|()| TestServer::start(&database.url));
    race(&database, &servers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_on_sqlite_never_admits_too_much() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let servers = [TestServer::start(&database.url)];
    race(&database, &servers).await;
}
