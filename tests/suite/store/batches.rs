//! Several locations in one transaction, for every database alike.

use std::sync::Arc;

use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::answer::Answer;
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::event::{EventFilter, Order};
use perfreg::domain::execution::Outcome;
use perfreg::store::{Batch, Lane, Store, StoreError};

use super::contract::{decide, start};
use crate::on_both_databases;
use crate::support::{details, registration};

const ROUNDS: usize = 20;

fn register(location: Option<&str>, factor: &str) -> Command {
    Command::Register(registration(details(location, factor)))
}

fn lane(location: Option<&str>, commands: Vec<Command>) -> Lane {
    Lane { location: location.map(LocationName::new), commands }
}

fn started(answer: &Answer) -> bool {
    matches!(answer, Answer::Registered(_))
}

async fn used(store: &dyn Store, name: &str) -> Option<Factor> {
    let locations = store.locations().await.expect("the locations");
    locations.iter().find(|one| one.name == Some(LocationName::new(name))).map(|one| one.used)
}

async fn decide_all(store: &dyn Store, lanes: Vec<Lane>) -> Vec<Vec<Answer>> {
    let decided = store.decide(&Batch { lanes, is_retry: false }).await.expect("a decision");
    decided.answers.into_iter().map(|answers| answers.expect("nobody else holds a location")).collect()
}

/// Asks again for the lanes whose locations others held.
async fn decide_in_the_end(store: &dyn Store, mut lanes: Vec<Lane>) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !lanes.is_empty() {
        let batch = Batch { lanes, is_retry: false };
        let decided = store.decide(&batch).await.expect("nobody waits in a circle");
        let undecided = |(lane, decided): (Lane, Option<Vec<Answer>>)| match decided {
            Some(decided) => {
                answers.extend(decided);
                None
            }
            None => Some(lane),
        };
        lanes = batch.lanes.into_iter().zip(decided.answers).filter_map(undecided).collect();
    }
    answers
}

on_both_databases! {
    async fn one_transaction_decides_for_each_location_as_if_it_were_alone(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        // A new location is only made for a lane that comes first.
        for name in [Some("a"), Some("c")] {
            let capacity = Factor::parse("0.9").ok();
            decide(store.as_ref(), name, vec![Command::SetLocation { capacity, gate: None, by: None }]).await;
        }
        start(store.as_ref(), details(None, "0")).await;
        let before = store.events(&EventFilter::default(), None, Order::OldestFirst, 100).await.expect("events").len();
        let run = start(store.as_ref(), details(Some("b"), "0.9")).await;
        let lanes = vec![
            lane(Some("c"), vec![register(Some("c"), "0.6"), register(Some("c"), "0.6")]),
            lane(Some("b"), vec![register(Some("b"), "0.2"), Command::Complete {
                run_id: run.run_id, outcome: Outcome::Success, token: None,
            }, register(Some("b"), "0.2")]),
            lane(None, vec![register(None, "1")]),
            lane(Some("a"), vec![register(Some("a"), "1")]),
        ];
        let answers = decide_all(store.as_ref(), lanes).await;
        let outcomes: Vec<Vec<bool>> = answers.iter().map(|lane| lane.iter().map(started).collect()).collect();
        assert_eq!(outcomes, [vec![true, false], vec![false, false, true], vec![true], vec![false]]);
        let factors = [used(store.as_ref(), "a").await, used(store.as_ref(), "b").await, used(store.as_ref(), "c").await];
        let expected = ["0", "0.2", "0.6"].map(|factor| Factor::parse(factor).ok());
        assert_eq!(factors, expected);
        let saved = store.execution(run.run_id).await.expect("a read").expect("found");
        assert!(saved.end_time.is_some());
        let events = store.events(&EventFilter::default(), None, Order::OldestFirst, 100).await.expect("events");
        let told: Vec<(&str, Option<&str>)> = events[before..]
            .iter()
            .map(|event| (event.kind.as_str(), event.location.as_ref().map(LocationName::as_str)))
            .collect();
        assert_eq!(told, [
            ("started", Some("b")),
            ("started", Some("c")), ("refused", Some("c")),
            ("refused", Some("b")), ("ended", Some("b")), ("started", Some("b")),
            ("started", None),
            ("refused", Some("a")),
        ]);
    }

    async fn all_lanes_of_a_transaction_are_saved_or_none(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let first = registration(details(Some("a"), "0.1"));
        decide(store.as_ref(), Some("a"), vec![Command::Register(first.clone())]).await;
        // The same registration again, not known to be one: its id is there already.
        let lanes = vec![
            lane(Some("b"), vec![register(Some("b"), "0.5")]),
            lane(Some("a"), vec![Command::Register(first)]),
        ];
        let error = store.decide(&Batch { lanes, is_retry: false }).await.expect_err("the id is taken");
        assert!(matches!(error, StoreError::Broken(_)), "{error}");
        assert_eq!(used(store.as_ref(), "b").await, None);
        assert_eq!(used(store.as_ref(), "a").await, Factor::parse("0.1").ok());
        start(store.as_ref(), details(Some("b"), "0.5")).await;
    }

    async fn a_refusal_at_a_new_location_never_makes_it_forget_who_started_there(database: &TestDatabase) {
        let stores = [database.store(Clock::Real).await, database.store(Clock::Real).await];
        for round in 0..ROUNDS {
            let name = format!("round-{round}");
            let tasks: Vec<_> = (0..8)
                .map(|number| {
                    let (store, name): (Arc<dyn Store>, String) = (Arc::clone(&stores[number % 2]), name.clone());
                    let factor = if number % 4 < 2 { "0.3" } else { "1" };
                    tokio::spawn(async move {
                        let lanes = vec![lane(Some(&name), vec![register(Some(&name), factor)])];
                        started(&decide_in_the_end(store.as_ref(), lanes).await[0])
                    })
                })
                .collect();
            let mut count = 0;
            for task in tasks {
                count += i64::from(task.await.expect("no panic"));
            }
            assert_eq!(count, 3, "round {round}");
            assert_eq!(used(stores[0].as_ref(), &name).await, Factor::parse("0.9").ok(), "round {round}");
        }
    }

    async fn transactions_that_share_locations_in_any_order_all_get_through(database: &TestDatabase) {
        let stores = [database.store(Clock::Real).await, database.store(Clock::Real).await];
        let names: Vec<String> = (0..6).map(|number| format!("place-{number}")).collect();
        let tasks: Vec<_> = (0..12)
            .map(|number| {
                let (store, mut names): (Arc<dyn Store>, Vec<String>) = (Arc::clone(&stores[number % 2]), names.clone());
                names.rotate_left(number % 6);
                tokio::spawn(async move {
                    let lanes = names.iter().map(|name| lane(Some(name), vec![register(Some(name), "0.01")])).collect();
                    decide_in_the_end(store.as_ref(), lanes).await
                })
            })
            .collect();
        for task in tasks {
            let answers = task.await.expect("no panic");
            assert!(answers.iter().all(started));
        }
        for name in &names {
            assert_eq!(used(stores[0].as_ref(), name).await, Factor::parse("0.12").ok(), "{name}");
        }
    }
}
