//! Locations that are deleted, and two that become one.

use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::answer::Answer;
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::{Location, LocationName};
use perfreg::domain::event::{EventFilter, EventKind, Order};
use perfreg::domain::execution::lease::TokenHash;
use perfreg::domain::execution::{Outcome, Registration, Status};
use perfreg::domain::history::{Filter, Pattern, SearchField};
use perfreg::store::{Merge, Store};

use super::contract::{decide, start, started};
use crate::on_both_databases;
use crate::support::{details, registration};

fn name(name: &str) -> LocationName {
    LocationName::new(name)
}

async fn location(store: &dyn Store, location: &str) -> Option<Location> {
    store.location(&name(location)).await.expect("a read")
}

fn merge(from: &str, into: &str) -> Merge {
    Merge { from: name(from), into: name(into), by: Some("ana".to_owned()) }
}

fn delete() -> Command {
    Command::DeleteLocation { by: None }
}

on_both_databases! {
    async fn a_deleted_location_is_gone_and_its_fence_goes_on(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let store = store.as_ref();
        let known = || Registration { only_where_known: true, ..registration(details(Some("here"), "0.5")) };
        let register_where_known = || vec![Command::Register(known())];
        assert_eq!(decide(store, Some("here"), register_where_known()).await, [Answer::UnknownLocation]);
        assert!(store.locations().await.expect("the locations").is_empty());
        let run = start(store, details(Some("here"), "0.5")).await;
        assert!(matches!(decide(store, Some("here"), vec![delete()]).await[..], [Answer::LocationInUse(_)]));
        let end = Command::Complete { run_id: run.run_id, outcome: Outcome::Success, token: None };
        decide(store, Some("here"), vec![end]).await;
        assert!(matches!(decide(store, Some("here"), vec![delete()]).await[..], [Answer::Location(_)]));
        assert_eq!(location(store, "here").await, None);
        assert!(store.locations().await.expect("the locations").is_empty());
        assert_eq!(decide(store, Some("here"), register_where_known()).await, [Answer::UnknownLocation]);
        assert_eq!(decide(store, Some("here"), vec![delete()]).await, [Answer::NotFound]);
        let again = start(store, details(Some("here"), "0.5")).await;
        assert_eq!((run.fence, again.fence), (Some(1), Some(2)), "what was locked with a fence is not locked again");
        assert!(location(store, "here").await.is_some_and(|location| !location.is_new));
        started(&decide(store, Some("here"), vec![Command::Register(Registration {
            only_where_known: true, ..registration(details(Some("here"), "0.1"))
        })]).await[0]);
    }

    async fn two_locations_become_one_with_all_that_runs_and_waits(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let store = store.as_ref();
        let at_second = start(store, details(Some("there"), "0.6")).await;
        for _ in 0..3 {
            let run = start(store, details(Some("here"), "0.3")).await;
            let end = Command::Complete { run_id: run.run_id, outcome: Outcome::Success, token: None };
            decide(store, Some("here"), vec![end]).await;
        }
        let at_first = start(store, details(Some("here"), "0.7")).await;
        let lease = Some((60, TokenHash("x".to_owned())));
        let waiter = Registration { wait_seconds: 600, lease, ..registration(details(Some("here"), "0.5")) };
        let queued = decide(store, Some("here"), vec![Command::Register(waiter)]).await.remove(0);
        let Answer::Queued(waiter, _) = queued else { panic!("it waits: {queued:?}") };

        let merged = store.merge(&merge("here", "there")).await.expect("a merge").expect("both are there");
        assert_eq!(merged.moved.len(), 2);
        let there = location(store, "there").await.expect("it is there");
        assert_eq!(there, merged.location);
        assert_eq!((there.used, there.running, there.waiting, there.fence), (Factor::from_millionths(1_300_000), 2, 1, 4));
        assert_eq!(location(store, "here").await, None);
        assert!(store.audit("", 100).await.expect("a page").differences.is_empty());

        let moved = store.execution(at_first.run_id).await.expect("a read").expect("it is there");
        assert_eq!((moved.details.location.as_ref(), moved.version), (Some(&name("there")), at_first.version + 1));
        let found = Filter { status: Some(Status::Running), ..Filter::default() };
        let found = Filter { patterns: vec![(SearchField::Location, Pattern::new("there"))], ..found };
        assert_eq!(store.executions(&found, None, 10).await.expect("a page").executions.len(), 2);
        // Where it was nobody knows it, and where it is it ends.
        let end = |run_id| Command::Complete { run_id, outcome: Outcome::Success, token: None };
        assert_eq!(decide(store, Some("here"), vec![end(moved.run_id)]).await, [Answer::NotFound]);
        let answers = decide(store, Some("there"), vec![end(moved.run_id), end(at_second.run_id)]).await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Ended(_))), "{answers:?}");
        let started = store.execution(waiter.run_id).await.expect("a read").expect("it is there");
        assert_eq!((started.status, started.fence), (Status::Running, Some(5)));
        assert!(store.audit("", 100).await.expect("a page").differences.is_empty());

        let kinds = vec![EventKind::LocationMerged];
        let filter = EventFilter { kinds, ..EventFilter::default() };
        let events = store.events(&filter, None, Order::OldestFirst, 10).await.expect("events");
        let places: Vec<_> = events.iter().filter_map(|event| event.location.as_ref()).map(LocationName::as_str).collect();
        assert_eq!(places, ["here", "there"]);
        let of_run = EventFilter { run_id: Some(moved.run_id), kinds: vec![EventKind::Moved], ..EventFilter::default() };
        let told = store.events(&of_run, None, Order::OldestFirst, 10).await.expect("events");
        assert_eq!(told.len(), 1, "what changes of a run leaves an event that names it");
    }

    async fn a_location_that_is_not_there_is_not_merged(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let store = store.as_ref();
        let run = start(store, details(Some("here"), "0.5")).await;
        for (from, into) in [("here", "nowhere"), ("nowhere", "here"), ("a", "b")] {
            assert!(store.merge(&merge(from, into)).await.expect("an answer").is_none(), "{from} into {into}");
        }
        assert_eq!(store.execution(run.run_id).await.expect("a read"), Some(run));
        assert!(location(store, "nowhere").await.is_none());
    }
}
