//! The auditor finds what differs, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::audit::Difference;
use perfreg::domain::execution::lease::TokenHash;
use perfreg::domain::execution::{Outcome, Registration};
use perfreg::store::Store;

use super::contract::{decide, start};
use crate::on_both_databases;
use crate::support::database::execute;
use crate::support::{details, registration};

const WRITERS: usize = 4;
const ROUNDS: usize = 40;

/// What a look at everything finds, a few locations at a time.
async fn audit(store: &dyn Store, limit: usize) -> Vec<Difference> {
    let (mut found, mut from) = (Vec::new(), String::new());
    for _ in 0..1_000 {
        let page = store.audit(&from, limit).await.expect("a page");
        found.extend(page.differences);
        match page.next {
            Some(next) => from = next,
            None => return found,
        }
    }
    panic!("there is no last page");
}

/// Location, and what the row and the executions say.
fn told(found: &[Difference]) -> Vec<String> {
    let name = |found: &Difference| found.location.as_ref().map_or("nowhere".to_owned(), ToString::to_string);
    let mut told: Vec<_> =
        found.iter().map(|found| format!("{}: {} / {}", name(found), found.row, found.executions)).collect();
    told.sort();
    told
}

async fn queue(store: &dyn Store, location: &str) {
    let asked = registration(details(Some(location), "0.9"));
    let asked = Registration { wait_seconds: 3_600, lease: Some((60, TokenHash("secret".to_owned()))), ..asked };
    decide(store, Some(location), vec![Command::Register(asked)]).await;
}

on_both_databases! {
    async fn an_audit_finds_every_row_that_differs_from_its_executions_and_names_both(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let store = store.as_ref();
        assert_eq!(audit(store, 2).await, []);
        for (location, factor) in [(Some("a"), "0.1"), (Some("a"), "0.2"), (Some("b"), "0.5"), (Some("c"), "0.3"), (None, "0.7"), (Some("e"), "0.4")] {
            start(store, details(location, factor)).await;
        }
        queue(store, "d").await;
        queue(store, "d").await;
        for limit in [1, 2, 3, 100] {
            assert_eq!(audit(store, limit).await, [], "{limit} at a time");
        }
        execute(
            database,
            "UPDATE perfreg_locations SET used_millionths = used_millionths - 1 WHERE name = 'b';
             UPDATE perfreg_locations SET running = 2 WHERE name = '';
             UPDATE perfreg_locations SET leased = 0, waiting = 7 WHERE name = 'd';
             DELETE FROM perfreg_locations WHERE name = 'c'",
        )
        .await;
        let row = |used, running, leased, waiting| {
            format!("{used} in use by {running} running, {leased} of them with a lease, and {waiting} waiting")
        };
        let expected = [
            format!("b: {} / {}", row("0.499999", 1, 0, 0), row("0.5", 1, 0, 0)),
            format!("c: {} / {}", row("0", 0, 0, 0), row("0.3", 1, 0, 0)),
            format!("d: {} / {}", row("0.9", 1, 0, 7), row("0.9", 1, 1, 1)),
            format!("nowhere: {} / {}", row("0.7", 2, 0, 0), row("0.7", 1, 0, 0)),
        ];
        for limit in [1, 2, 3, 100] {
            assert_eq!(told(&audit(store, limit).await), expected, "{limit} at a time");
        }
    }

    async fn an_audit_never_sees_a_difference_in_what_is_being_decided(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let location = format!("location {}", writer % 2);
                    for _ in 0..ROUNDS {
                        let run = start(store.as_ref(), details(Some(&location), "0.1")).await;
                        let end = Command::Complete { run_id: run.run_id, outcome: Outcome::Success, token: None };
                        decide(store.as_ref(), Some(&location), vec![end]).await;
                    }
                })
            })
            .collect();
        let done = Arc::new(AtomicBool::new(false));
        let (auditing, is_done) = (Arc::clone(&store), Arc::clone(&done));
        let auditor = tokio::spawn(async move {
            let mut audits = 0;
            while !is_done.load(Ordering::Relaxed) {
                assert_eq!(audit(auditing.as_ref(), 2).await, []);
                audits += 1;
            }
            audits
        });
        for writer in writers {
            writer.await.expect("every decision was made");
        }
        done.store(true, Ordering::Relaxed);
        assert!(auditor.await.expect("no difference") > 0);
    }
}
