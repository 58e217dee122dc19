//! What tells how long a test will run.

use jiff::SignedDuration;
use perfreg::clock::{Clock, SimulatedClock};
use perfreg::domain::admission::Command;
use perfreg::domain::execution::{Details, Outcome, Registration};
use perfreg::domain::schedule::estimate::{Alike, SUCCESSES_COUNTED, median_seconds};
use perfreg::store::Store;

use super::contract::{clock, decide, start, started};
use crate::on_both_databases;
use crate::support::{details, registration};

/// Runs a test for so long, to this end.
async fn run(store: &dyn Store, clock: &SimulatedClock, details: Details, seconds: i64, outcome: Outcome) {
    let location = details.location.clone().map(|name| name.to_string());
    let run = start(store, details).await;
    clock.advance(SignedDuration::from_secs(seconds));
    let end = Command::Complete { run_id: run.run_id, outcome, token: None };
    decide(store, location.as_deref(), vec![end]).await;
}

fn seconds(durations: Vec<SignedDuration>) -> Vec<i64> {
    durations.iter().map(SignedDuration::as_secs).collect()
}

on_both_databases! {
    async fn the_last_successes_of_the_same_test_tell_how_long_it_runs(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        let usual = || details(Some("here"), "0.1");
        let same = &Alike::of(&usual());
        assert_eq!(store.durations(same).await.expect("a read"), []);
        run(store, &clock, usual(), 100, Outcome::Success).await;
        run(store, &clock, usual(), 7, Outcome::Failure).await;
        run(store, &clock, Details { test: "another".to_owned(), ..usual() }, 30, Outcome::Success).await;
        run(store, &clock, Details { environment: "staging".to_owned(), ..usual() }, 40, Outcome::Success).await;
        run(store, &clock, details(Some("there"), "0.1"), 50, Outcome::Success).await;
        start(store, usual()).await;
        assert_eq!(seconds(store.durations(same).await.expect("a read")), [50, 100], "wherever it ran");
        for length in 1..=SUCCESSES_COUNTED as i64 {
            run(store, &clock, usual(), length, Outcome::Success).await;
        }
        let durations = store.durations(same).await.expect("a read");
        assert_eq!(durations.len(), SUCCESSES_COUNTED);
        assert_eq!(median_seconds(durations), Some(11), "the older ones no longer count");
    }

    async fn what_was_expected_is_kept(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let asked = Registration { expected_seconds: Some(604_800), ..registration(details(Some("here"), "0.1")) };
        let answers = decide(store.as_ref(), Some("here"), vec![Command::Register(asked)]).await;
        let run = started(&answers[0]);
        assert_eq!(run.expected_seconds, Some(604_800));
        assert_eq!(store.execution(run.run_id).await.expect("a read").as_ref(), Some(run));
    }
}
