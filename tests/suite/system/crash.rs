//! A server that is killed under load has lost nothing that it acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use perfreg::domain::capacity::factor::Factor;
use reqwest::Method;
use serde_json::json;

use super::evidence::{Admitted, Saved};
use crate::on_both_databases;
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::{Http, example};
use crate::support::server::{PATIENCE, TestServer};

const KILLS: usize = 4;
const CLIENTS: usize = 16;
const ANSWERS_BEFORE_A_KILL: usize = 60;

/// Registers and completes until there is no answer; what was answered is kept.
pub async fn client(http: Http, stop: Arc<AtomicBool>, runs: Arc<Mutex<Vec<Admitted>>>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let request = example(json!({"factor": 0.0001, "location": "here"})).to_string();
        let Ok(reply) = http.try_send(Method::POST, "/register", "application/json", request).await else { return };
        assert_eq!(reply.status, 200, "{}", reply.text);
        let run_id = reply.json()["run_id"].as_i64().expect("a run_id");
        let run = Admitted {
            run_id,
            id: reply.json()["id"].as_str().expect("an id").to_owned(),
            factor: Factor::parse("0.0001").expect("a factor"),
            answered_at: Instant::now(),
            end_sent_at: None,
            acknowledged_status: None,
        };
        runs.lock().expect("no panic").push(run);
        if number % 4 == 0 {
            continue;
        }
        let request = json!({"run_id": run_id, "status": "success"}).to_string();
        let Ok(reply) = http.try_send(Method::POST, "/complete", "application/json", request).await else { return };
        assert_eq!(reply.status, 200, "{}", reply.text);
        let mut runs = runs.lock().expect("no panic");
        let run = runs.iter_mut().find(|run| run.run_id == run_id).expect("it was pushed");
        run.acknowledged_status = Some("success".to_owned());
    }
}

on_both_databases! {
    async fn nothing_acknowledged_is_missing_after_sigkill(database: &TestDatabase) {
        let runs = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..KILLS {
            let mut server = TestServer::start(&database.url);
            let stop = Arc::new(AtomicBool::new(false));
            let before = runs.lock().expect("no panic").len();
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| tokio::spawn(client(server.http(), Arc::clone(&stop), Arc::clone(&runs))))
                .collect();
            let give_up = Instant::now() + PATIENCE;
            while runs.lock().expect("no panic").len() < before + ANSWERS_BEFORE_A_KILL {
                assert!(Instant::now() < give_up, "too few answers");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            server.kill();
            stop.store(true, Ordering::Relaxed);
            for client in clients {
                client.await.expect("no client saw a contradiction");
            }
        }
        let runs = runs.lock().expect("no panic").clone();
        let server = TestServer::start(&database.url);
        assert_eq!(server.http().get("/readyz").await.status, 200);
        let saved = Saved::read(database).await;
        saved.assert_holds(&runs);
        saved.assert_sums();
        assert!(runs.iter().any(|run| run.acknowledged_status.is_some()));
    }
}

/// How often the server of a SQLite file is killed; [`KILLS_VARIABLE`] asks for more.
const KILLS_ON_SQLITE: usize = 12;
const KILLS_VARIABLE: &str = "PERFREG_TEST_KILLS";
/// A kill comes at any moment up to this after the server has begun to answer.
const LONGEST_LIFE_MICROSECONDS: u64 = 120_000;

fn integrity(database: &TestDatabase) -> String {
    let file = database.open_file();
    file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_survives_one_sigkill_after_another_under_load() {
    let kills = std::env::var(KILLS_VARIABLE).map_or(KILLS_ON_SQLITE, |kills| kills.parse().expect("a number"));
    let database = TestDatabase::new(Engine::Sqlite).await;
    let runs = Arc::new(Mutex::new(Vec::new()));
    // A quarter of what starts goes on for ever.
    let room = json!({"capacity": 1000});
    let set = TestServer::start(&database.url).http().send(Method::PUT, "/locations/here", &room).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let begun = Instant::now();
    let mut random = 1_u64;
    for kill in 0..kills {
        let mut server = TestServer::start(&database.url);
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| tokio::spawn(client(server.http(), Arc::clone(&stop), Arc::clone(&runs)))).collect();
        // Spread evenly, and the same in each run of the test.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_micros((random >> 33) % LONGEST_LIFE_MICROSECONDS)).await;
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.expect("no client saw a contradiction");
        }
        // Whoever looks mends the file first; mostly that is left to the next server.
        if kill % 4 == 3 {
            assert_eq!(integrity(&database), "ok", "after {} kills", kill + 1);
        }
    }
    assert_eq!(integrity(&database), "ok");
    let runs = runs.lock().expect("no panic").clone();
    let saved = Saved::read(&database).await;
    saved.assert_holds(&runs);
    saved.assert_sums();
    let ends = runs.iter().filter(|run| run.acknowledged_status.is_some()).count();
    println!(
        "{kills} kills in {} s: {} registrations and {ends} ends acknowledged, {} executions saved",
        begun.elapsed().as_secs(),
        runs.len(),
        saved.executions.len()
    );
    assert!(ends > 0 && runs.len() >= kills, "hardly anything was acknowledged");
}
