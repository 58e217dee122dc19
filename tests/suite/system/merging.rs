//! Locations become one while tests start and end at both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use perfreg::clock::Clock;
use reqwest::StatusCode;
use serde_json::json;

use crate::on_both_databases;
use crate::support::http::{Http, example};
use crate::support::server::TestServer;

const CLIENTS: usize = 8;
const MERGES: usize = 6;

/// Starts and ends tests at both locations until it is told to stop; each end is acknowledged.
async fn client(client: usize, https: [Http; 2], stop: Arc<AtomicBool>) -> usize {
    let mut started = 0;
    while !stop.load(Ordering::SeqCst) {
        let location = ["left", "right"][(client + started) % 2];
        let wait = if client.is_multiple_of(2) { 0 } else { 20 };
        let request = example(json!({"factor": 0.2, "location": location, "wait_seconds": wait}));
        let reply = https[client % 2].post("/register", &request).await;
        let mut run = reply.json();
        if reply.status == StatusCode::CONFLICT {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let token = run["lease_token"].clone();
        while run["status"] == "queued" {
            let beat = json!({"run_id": run["run_id"], "lease_token": token, "wait_seconds": 5});
            let heard = https[(client + 1) % 2].post("/heartbeat", &beat).await;
            assert_eq!(heard.status, 200, "{}", heard.text);
            run = heard.json();
        }
        started += 1;
        let end = json!({"run_id": run["run_id"], "lease_token": token, "status": "success"});
        let ended = https[(client + 1) % 2].post("/complete", &end).await;
        assert_eq!(ended.status, 200, "{}", ended.text);
    }
    started
}

on_both_databases! {
    async fn locations_become_one_under_load_and_nothing_is_lost(database: &TestDatabase) {
        let (one, two) = TestServer::start_two(database);
        let stop = Arc::<AtomicBool>::default();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| tokio::spawn(client(number, [one.http(), two.http()], Arc::clone(&stop))))
            .collect();
        let (http, mut merged) = (one.http(), 0);
        for _ in 0..40 * MERGES {
            let reply = http.post("/locations/left/merge", &json!({"into": "right"})).await;
            assert!(matches!(reply.status.as_u16(), 200 | 404), "{}\n{}", reply.text, one.log());
            merged += usize::from(reply.status == 200);
            if merged == MERGES {
                break;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        stop.store(true, Ordering::SeqCst);
        let mut started = 0;
        for client in clients {
            started += client.await.expect("no panic");
        }
        assert_eq!(merged, MERGES);
        assert!(started > CLIENTS, "{started}");
        for location in one.http().get("/locations").await.json()["locations"].as_array().expect("locations") {
            let left = (&location["used"], &location["running"], &location["waiting"]);
            assert_eq!(left, (&json!(0), &json!(0), &json!(0)), "{location}");
        }
        drop((one, two));
        let store = database.store(Clock::Real).await;
        assert!(store.audit("", 100).await.expect("a page").differences.is_empty());
    }
}
