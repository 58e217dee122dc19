//! What runs at a location, and what of it no server of ours has started.

use perfreg::clock::Clock;
use perfreg::domain::adopted::AdoptedAt;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::RunId;
use perfreg::store::Store;

use super::contract::start;
use crate::on_both_databases;
use crate::support::database::execute;
use crate::support::details;

async fn running(
    store: &dyn Store,
    location: Option<&str>,
    before: &str,
    after: Option<i64>,
    limit: usize,
) -> Vec<i64> {
    let (location, before) = (location.map(LocationName::new), before.parse().expect("a time"));
    let found = store.running_before(location.as_ref(), before, after.map(RunId), limit).await.expect("a read");
    found.iter().map(|run| run.run_id.0).collect()
}

on_both_databases! {
    async fn what_runs_at_exactly_this_location_is_found_page_by_page(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let store = store.as_ref();
        for location in [Some("here"), None, Some("HERE"), Some("here"), Some("here"), Some("here")] {
            start(store, details(location, "0.1")).await;
        }
        let change = "UPDATE test_executions SET start_time = '2020-01-01T00:00:00.000000Z' WHERE run_id IN (1, 5);
                      UPDATE test_executions SET status = 'success' WHERE run_id = 4;";
        execute(database, change).await;
        let (early, late) = ("2020-01-01T00:00:01Z", "2999-01-01T00:00:00Z");
        assert_eq!(running(store, Some("here"), late, None, 9).await, [1, 5, 6]);
        assert_eq!(running(store, Some("here"), late, None, 2).await, [1, 5]);
        assert_eq!(running(store, Some("here"), late, Some(5), 2).await, [6]);
        assert_eq!(running(store, Some("here"), early, None, 9).await, [1, 5]);
        assert_eq!(running(store, Some("here"), "2020-01-01T00:00:00Z", None, 9).await, [0; 0], "before means before");
        assert_eq!(running(store, None, late, None, 9).await, [2]);
        assert_eq!(running(store, Some("there"), late, None, 9).await, [0; 0]);
    }

    async fn what_no_server_of_ours_has_started_is_counted_by_location(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        for location in [Some("here"), Some("here"), None, Some("there"), Some("here")] {
            start(store.as_ref(), details(location, "0.1")).await;
        }
        assert_eq!(store.adopted().await.expect("a read"), []);
        let change = "UPDATE test_executions SET fence = NULL WHERE run_id IN (1, 2, 3);
                      UPDATE test_executions SET start_time = '2020-01-01T00:00:00.000000Z' WHERE run_id IN (1, 3);
                      UPDATE test_executions SET start_time = '2020-01-02T00:00:00.000000Z' WHERE run_id = 2;";
        execute(database, change).await;
        let time = |text: &str| text.parse().expect("a time");
        let (first, second) = (time("2020-01-01T00:00:00Z"), time("2020-01-02T00:00:00Z"));
        let nowhere = AdoptedAt { location: None, running: 1, oldest: first, newest: first };
        let here = AdoptedAt { location: Some(LocationName::new("here")), running: 2, oldest: first, newest: second };
        assert_eq!(store.adopted().await.expect("a read"), [nowhere, here]);
    }
}
