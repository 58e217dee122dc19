//! Events are saved with the decision, found by every filter, and read on without a gap.

use std::time::Instant;

use jiff::SignedDuration;
use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::event::{EventFilter, EventId, EventKind, Order, SavedEvent};
use perfreg::domain::execution::{Outcome, RunId};
use perfreg::domain::gate::{Gate, GateState};
use perfreg::store::{Batch, Store};
use serde_json::{Value, json};

use super::contract::{clock, decide, start};
use crate::on_both_databases;
use crate::support::database::{Engine, TestDatabase, execute};
use crate::support::server::PATIENCE;
use crate::support::{details, registration};

async fn list(store: &dyn Store, filter: EventFilter) -> Vec<SavedEvent> {
    store.events(&filter, None, Order::OldestFirst, 1_000).await.expect("the events")
}

fn kinds(events: &[SavedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

fn facts(event: &SavedEvent) -> Value {
    serde_json::from_str(&event.facts).expect("JSON")
}

fn register(location: &str, factor: &str) -> Command {
    Command::Register(registration(details(Some(location), factor)))
}

/// Reads on from there, so many at a time, until so many have settled. Transactions of other
/// databases of the same server hold that up for a moment.
async fn read_on(store: &dyn Store, mut after: EventId, size: usize, count: usize) -> Vec<SavedEvent> {
    let mut all = Vec::new();
    let give_up = Instant::now() + PATIENCE;
    while all.len() < count {
        let read = store.settled_events(&EventFilter::default(), Some(after), size).await.expect("a reading");
        assert!(read.events.len() <= size && read.until >= after);
        assert!(Instant::now() < give_up, "{} of {count} after {PATIENCE:?}", all.len());
        after = read.until;
        all.extend(read.events);
    }
    all
}

on_both_databases! {
    async fn an_event_of_a_kind_that_only_a_newer_version_knows_is_told_as_it_is(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let store = store.as_ref();
        start(store, details(Some("here"), "0.9")).await;
        execute(database, "UPDATE perfreg_events SET kind = 'foreseen'").await;
        assert_eq!(kinds(&list(store, EventFilter::default()).await), ["foreseen"]);
        let started = EventFilter { kinds: vec![EventKind::Started], ..EventFilter::default() };
        assert_eq!(kinds(&list(store, started).await), Vec::<&str>::new());
    }

    async fn a_decision_and_its_events_are_one(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        let run = start(store, details(Some("here"), "0.9")).await;
        clock.advance(SignedDuration::from_secs(5));
        decide(store, Some("here"), vec![register("here", "0.100001")]).await;
        let events = list(store, EventFilter::default()).await;
        assert_eq!(kinds(&events), ["started", "refused"]);
        let refused = &events[1];
        assert_eq!((refused.at, refused.run_id), (clock.now(), None));
        assert_eq!(refused.location.as_ref().map(LocationName::as_str), Some("here"));
        assert_eq!(refused.by.as_deref(), Some("user1"));
        assert!(refused.facts.contains(r#""requested_factor":0.100001,"#), "to the last digit: {}", refused.facts);
        let told = facts(refused);
        assert_eq!((&told["cause"], &told["running_factor"], &told["ahead"]), (&json!("no_room"), &json!(0.9), &json!(0)));
        assert_eq!(told["blocking"][0]["run_id"], run.run_id.0);
        let late = Batch::of(Some(LocationName::new("here")), vec![Command::Sweep]);
        store.decide(&late).await.expect("a sweep");
        assert_eq!(list(store, EventFilter::default()).await.len(), 2, "nothing was due, so nothing is told");
    }

    async fn a_location_that_was_only_asked_for_is_not_kept_but_the_refusal_is(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        decide(store.as_ref(), Some("mistyped"), vec![register("mistyped", "1")]).await;
        assert_eq!(store.locations().await.expect("the locations"), []);
        let events = list(store.as_ref(), EventFilter::default()).await;
        assert_eq!(facts(&events[0])["cause"], "never_fits");
    }

    async fn events_are_found_by_every_filter_in_both_orders(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        let first = start(store, details(Some("here"), "0.5")).await;
        clock.advance(SignedDuration::from_secs(60));
        let second = start(store, details(Some("there"), "0.5")).await;
        let nowhere = start(store, details(None, "0.5")).await;
        clock.advance(SignedDuration::from_secs(60));
        let end = |run_id: RunId| Command::Complete { run_id, outcome: Outcome::Success, token: None };
        decide(store, Some("here"), vec![end(first.run_id), register("here", "1")]).await;
        let gate = Gate { state: GateState::Draining, reason: Some("it hurts".to_owned()), ..Gate::OPEN };
        store.set_registry(&gate).await.expect("a new gate");

        let all = list(store, EventFilter::default()).await;
        assert_eq!(kinds(&all), ["started", "started", "started", "ended", "refused", "registry_set"]);
        let here = EventFilter { location: Some(LocationName::new("here")), ..EventFilter::default() };
        assert_eq!(kinds(&list(store, here).await), ["started", "ended", "refused"]);
        let of_run = |run_id| EventFilter { run_id: Some(run_id), ..EventFilter::default() };
        assert_eq!(kinds(&list(store, of_run(first.run_id)).await), ["started", "ended"]);
        assert_eq!(list(store, of_run(second.run_id)).await.len(), 1);
        assert_eq!(list(store, of_run(nowhere.run_id)).await[0].location, None);
        let of_kinds = EventFilter { kinds: vec![EventKind::Refused, EventKind::RegistrySet], ..EventFilter::default() };
        let refused_or_set = list(store, of_kinds).await;
        assert_eq!(kinds(&refused_or_set), ["refused", "registry_set"]);
        assert_eq!(facts(&refused_or_set[1]), json!({"state": "draining", "reason": "it hurts"}));
        let between = EventFilter { from: Some(all[1].at), to: Some(all[3].at), ..EventFilter::default() };
        assert_eq!(list(store, between).await, all[1..3], "from is included, to is not");

        let newest = store.events(&EventFilter::default(), None, Order::NewestFirst, 2).await.expect("a page");
        assert_eq!(kinds(&newest), ["registry_set", "refused"]);
        let next = store.events(&EventFilter::default(), Some(newest[1].id), Order::NewestFirst, 2).await.expect("a page");
        assert_eq!(kinds(&next), ["ended", "started"]);
        for event in &all {
            assert!(EventFilter::default().matches(event));
            assert_eq!(of_run(first.run_id).matches(event), event.run_id == Some(first.run_id));
        }
    }

    async fn a_registry_that_opens_by_itself_says_so_once(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let until = Some(clock.now() + SignedDuration::from_secs(60));
        let closed = Gate { state: GateState::Draining, reason: Some("drill".to_owned()), by: None, until };
        store.set_registry(&closed).await.expect("a new gate");
        assert!(!store.open_registry().await.expect("an answer"), "it is not due");
        clock.advance(SignedDuration::from_secs(60));
        assert!(store.open_registry().await.expect("an answer"));
        assert!(!store.open_registry().await.expect("an answer"), "it is open");
        assert_eq!(store.registry().await.expect("a gate"), Gate::OPEN);
        let events = list(store.as_ref(), EventFilter::default()).await;
        assert_eq!(kinds(&events), ["registry_set", "registry_opened"]);
        assert_eq!(events[1].at, clock.now());
    }

    async fn every_window_of_time_has_its_events_though_a_clock_was_set_back_a_little(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        for number in 0..60 {
            start(store, details(Some(["here", "there"][number % 2]), "0")).await;
            clock.advance(SignedDuration::from_secs(if number % 7 == 3 { -50 } else { 40 }));
        }
        let all = list(store, EventFilter::default()).await;
        assert_eq!(all.len(), 60);
        let times: Vec<_> = all.iter().step_by(3).map(|event| Some(event.at)).chain([None]).collect();
        for from in &times {
            for to in &times {
                let here = Some(LocationName::new("here"));
                let filter = EventFilter { from: *from, to: *to, location: here, ..EventFilter::default() };
                let expected: Vec<_> = all.iter().filter(|event| filter.matches(event)).cloned().collect();
                assert_eq!(list(store, filter.clone()).await, expected, "{filter:?}");
                let newest = store.events(&filter, None, Order::NewestFirst, 3).await.expect("a page");
                assert!(newest.iter().eq(expected.iter().rev().take(3)), "{filter:?}");
            }
        }
    }

    async fn reading_on_gives_every_event_once_in_order(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let begin = store.settled_events(&EventFilter::default(), None, 10).await.expect("the end").until;
        for number in 0..25 {
            start(store.as_ref(), details(Some(&format!("location {}", number % 3)), "0.01")).await;
        }
        let all = read_on(store.as_ref(), begin, 4, 25).await;
        assert_eq!(all.len(), 25);
        assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id));
        let rest = read_on(store.as_ref(), all[9].id, 100, 15).await;
        assert_eq!(rest, all[10..]);
    }

    async fn events_are_forgotten_when_they_are_old(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        for _ in 0..5 {
            start(store.as_ref(), details(Some("here"), "0.01")).await;
            clock.advance(SignedDuration::from_hours(24));
        }
        let third = list(store.as_ref(), EventFilter::default()).await[2].at;
        assert_eq!(store.forget_events(third, 1).await.expect("deleted"), 1, "not more than asked for");
        assert_eq!(store.forget_events(third, 100).await.expect("deleted"), 1);
        assert_eq!(store.forget_events(third, 100).await.expect("deleted"), 0);
        assert_eq!(list(store.as_ref(), EventFilter::default()).await.len(), 3);
    }
}

#[tokio::test]
async fn nobody_who_reads_on_misses_an_event_of_a_transaction_that_commits_late() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = database.store(Clock::Real).await;
    let begin = store.settled_events(&EventFilter::default(), None, 10).await.expect("the end").until;
    let client = database.connect().await;
    client
        .batch_execute(
            "BEGIN; INSERT INTO perfreg_events (position, number, at, kind, facts)
                    SELECT pg_current_xact_id()::text::bigint, nextval('perfreg_event_number'), now(), 'registry_set', '{}'",
        )
        .await
        .expect("an event that is not committed");
    start(store.as_ref(), details(Some("here"), "0.1")).await;
    assert_eq!(list(store.as_ref(), EventFilter::default()).await.len(), 1, "lists show what is committed");
    let early = store.settled_events(&EventFilter::default(), Some(begin), 10).await.expect("a reading");
    assert_eq!(early.events, [], "the other comes before it");
    client.batch_execute("COMMIT").await.expect("a commit");
    assert_eq!(kinds(&read_on(store.as_ref(), early.until, 10, 2).await), ["registry_set", "started"]);
}

#[tokio::test]
async fn a_database_whose_transactions_begin_anew_keeps_its_events_in_order() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = database.store(Clock::Real).await;
    start(store.as_ref(), details(Some("here"), "0.1")).await;
    // As if it had been dumped from a server that had run for years.
    let client = database.connect().await;
    client.batch_execute("UPDATE perfreg_events SET position = position + 1000000000").await.expect("an old database");
    drop(store);
    let store = database.store(Clock::Real).await;
    let newest = list(store.as_ref(), EventFilter::default()).await[0].id;
    start(store.as_ref(), details(Some("here"), "0.1")).await;
    assert_eq!(read_on(store.as_ref(), newest, 10, 1).await.len(), 1);
    assert_eq!(read_on(store.as_ref(), EventId::default(), 10, 2).await.len(), 2);
}
