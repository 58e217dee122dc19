//! The numbers that every replica tells a monitoring system.

use jiff::SignedDuration;
use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::capacity::location::{LocationName, row_name};
use perfreg::domain::execution::lease::TokenHash;
use perfreg::domain::execution::{Execution, Registration};
use perfreg::domain::gate::{Gate, GateState};
use perfreg::domain::usage::{LocationUsage, Usage};
use perfreg::store::Store;

use super::contract::{clock, decide, let_pass, start, started};
use crate::on_both_databases;
use crate::support::{details, registration};

async fn usage(store: &dyn Store) -> Usage {
    store.usage().await.expect("a read")
}

fn at<'usage>(usage: &'usage Usage, location: &str) -> &'usage LocationUsage {
    let is_it = |one: &&LocationUsage| row_name(one.location.name.as_ref()) == location;
    usage.locations.iter().find(is_it).unwrap_or_else(|| panic!("no {location:?} in {usage:?}"))
}

async fn register(store: &dyn Store, location: &str, changes: impl FnOnce(Registration) -> Registration) {
    let asked = changes(registration(details(Some(location), "0.6")));
    decide(store, Some(location), vec![Command::Register(asked)]).await;
}

/// Used, running, waiting, suspect, overdue, and the seconds of the oldest wait.
fn told(usage: &Usage, location: &str) -> (String, i64, i64, i64, i64, i64) {
    let one = at(usage, location);
    let row = &one.location;
    let oldest = usage.oldest_wait_of(one).as_secs();
    (row.used.to_string(), row.running, row.waiting, one.suspect, one.overdue, oldest)
}

on_both_databases! {
    async fn the_usage_of_an_empty_database_is_an_open_registry_without_locations(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let found = usage(store.as_ref()).await;
        assert_eq!(found, Usage { at: clock.now(), registry: Gate::OPEN, locations: Vec::new() });
    }

    async fn the_usage_counts_what_runs_what_waits_what_is_suspect_and_what_is_overdue(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        let lease = || Some((3_600, TokenHash("secret".to_owned())));
        register(store, "b", |asked| Registration { expected_seconds: Some(10), lease: lease(), ..asked }).await;
        register(store, "b", |asked| Registration { wait_seconds: 600, ..asked }).await;
        start(store, details(None, "0.7")).await;
        start(store, details(Some("a"), "0.25")).await;
        let_pass(store, &clock, SignedDuration::from_secs(30)).await;
        register(store, "b", |asked| Registration { wait_seconds: 600, ..asked }).await;
        let_pass(store, &clock, SignedDuration::from_secs(10)).await;
        let found = usage(store).await;
        let names: Vec<&str> = found.locations.iter().map(|one| row_name(one.location.name.as_ref())).collect();
        assert_eq!(names, ["", "a", "b"]);
        assert_eq!(told(&found, ""), ("0.7".to_owned(), 1, 0, 0, 0, 0));
        assert_eq!(told(&found, "a"), ("0.25".to_owned(), 1, 0, 0, 0, 0));
        assert_eq!(told(&found, "b"), ("0.6".to_owned(), 1, 2, 0, 0, 40), "four times its ten seconds are not over");
        clock.advance(SignedDuration::from_millis(1));
        assert_eq!(told(&usage(store).await, "b").4, 1);
    }

    async fn the_usage_calls_a_run_suspect_until_it_is_heard_of(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        let token = TokenHash("secret".to_owned());
        let asked = Registration { lease: Some((10, token.clone())), ..registration(details(Some("a"), "0.5")) };
        let answers = decide(store, Some("a"), vec![Command::Register(asked)]).await;
        let run: Execution = started(&answers[0]).clone();
        let_pass(store, &clock, SignedDuration::from_secs(11)).await;
        decide(store, Some("a"), vec![Command::Sweep]).await;
        assert_eq!(told(&usage(store).await, "a"), ("0.5".to_owned(), 1, 0, 1, 0, 0));
        decide(store, Some("a"), vec![Command::Beat { run_id: run.run_id, token, hold_seconds: 0 }]).await;
        assert_eq!(told(&usage(store).await, "a").3, 0);
    }

    async fn the_usage_has_both_gates_and_no_location_that_was_deleted(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        let until = Some(clock.now() + SignedDuration::from_secs(60));
        let stopped = Gate { state: GateState::Stopped, until, ..Gate::OPEN };
        let set = |gate| Command::SetLocation { capacity: None, gate, by: None };
        decide(store, Some("a"), vec![set(Some(stopped))]).await;
        decide(store, Some("b"), vec![set(Some(Gate::OPEN))]).await;
        decide(store, Some("b"), vec![Command::DeleteLocation { by: None }]).await;
        store.set_registry(&Gate { state: GateState::Draining, ..Gate::OPEN }).await.expect("it is set");
        let found = usage(store).await;
        assert_eq!(found.registry_state(), GateState::Draining);
        assert_eq!(found.state_of(at(&found, "a")), GateState::Stopped);
        let name = LocationName::new("b");
        assert!(found.locations.iter().all(|one| one.location.name.as_ref() != Some(&name)), "{found:?}");
        clock.advance(SignedDuration::from_secs(60));
        let found = usage(store).await;
        assert_eq!(found.state_of(at(&found, "a")), GateState::Draining, "its own gate has opened by itself");
    }
}
