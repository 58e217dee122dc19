//! What a server remembers of a location never hides what another has changed there.

use jiff::SignedDuration;
use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::answer::Answer;
use perfreg::domain::execution::lease::TokenHash;
use perfreg::domain::execution::{Outcome, Registration, RunId, Status};
use perfreg::store::Store;

use super::contract::{clock, decide, let_pass, started};
use crate::support::database::{Engine, TestDatabase};
use crate::support::{details, registration};

fn token() -> TokenHash {
    TokenHash("secret".to_owned())
}

async fn register(store: &dyn Store, factor: &str) -> Answer {
    let asked = registration(details(Some("here"), factor));
    let asked = Registration { wait_seconds: 3_600, lease: Some((60, token())), ..asked };
    decide(store, Some("here"), vec![Command::Register(asked)]).await.remove(0)
}

async fn beat(store: &dyn Store, run_id: i64) -> Answer {
    let beat = Command::Beat { run_id: RunId(run_id), token: token(), hold_seconds: 0 };
    decide(store, Some("here"), vec![beat]).await.remove(0)
}

async fn complete(store: &dyn Store, run_id: i64) -> Answer {
    let end = Command::Complete { run_id: RunId(run_id), outcome: Outcome::Success, token: Some(token()) };
    decide(store, Some("here"), vec![end]).await.remove(0)
}

fn ahead(answer: &Answer) -> usize {
    match answer {
        Answer::Queued(_, room) | Answer::Alive(_, Some(room)) => room.ahead,
        other => panic!("expected a waiter, not {other:?}"),
    }
}

#[tokio::test]
async fn servers_that_take_turns_see_what_the_other_has_changed() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let clock = clock();
    let first = database.store(Clock::Simulated(clock.clone())).await;
    let second = database.store(Clock::Simulated(clock.clone())).await;
    let (here, there) = (first.as_ref(), second.as_ref());
    started(&register(here, "0.6").await);
    assert_eq!(ahead(&register(here, "0.6").await), 0);
    assert_eq!(ahead(&register(there, "0.6").await), 1, "the other's waiter");
    assert_eq!(ahead(&register(here, "0.6").await), 2, "one from either");
    assert_eq!(ahead(&beat(there, 4).await), 2);
    assert!(matches!(complete(there, 1).await, Answer::Ended(_)));
    let Answer::Alive(second_run, None) = beat(here, 2).await else { panic!("it was started by the other") };
    assert_eq!((second_run.status, second_run.fence), (Status::Running, Some(2)));
    assert_eq!(ahead(&beat(here, 4).await), 1);
    // A heartbeat that only the other heard keeps the lease and the places alive here as well.
    for _ in 0..3 {
        let_pass(there, &clock, SignedDuration::from_secs(50)).await;
        beat(there, 2).await;
        beat(there, 3).await;
        beat(there, 4).await;
    }
    assert!(matches!(beat(here, 2).await, Answer::Alive(_, None)));
    assert!(matches!(complete(here, 2).await, Answer::Ended(_)));
    assert!(matches!(complete(there, 2).await, Answer::Ended(_)), "saying it again is answered the same");
    let run = there.execution(RunId(3)).await.expect("a read").expect("found");
    assert_eq!((run.status, run.fence), (Status::Running, Some(3)));
}
