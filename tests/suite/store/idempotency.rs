//! The same key and request is given the same answer, whatever happened in between.

use jiff::SignedDuration;
use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::answer::Answer;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::idempotency::IdempotencyKey;
use perfreg::domain::execution::lease::TokenHash;
use perfreg::domain::execution::{Outcome, Registration, RunId};
use perfreg::domain::history::Filter;
use perfreg::store::{Batch, Store};
use tokio::task::JoinSet;

use super::contract::{clock, decide};
use crate::on_both_databases;
use crate::support::{details, registration};

/// A registration with this key; the request stands for everything in the body.
fn keyed(key: &str, request: &str, location: &str, factor: &str) -> Registration {
    let key = IdempotencyKey { hash: key.to_owned(), request_hash: request.to_owned(), salt: format!("salt of {key}") };
    Registration { key: Some(key), ..registration(details(Some(location), factor)) }
}

fn waits(registration: Registration) -> Registration {
    Registration { wait_seconds: 600, lease: Some((60, TokenHash("secret".to_owned()))), ..registration }
}

fn register(registration: Registration) -> Command {
    Command::Register(registration)
}

/// The answer, which has to be a first one that is given again.
fn again(answer: &Answer) -> &Answer {
    match answer {
        Answer::Again { first, .. } => first,
        other => panic!("expected the first answer again, not {other:?}"),
    }
}

async fn executions(store: &dyn Store) -> usize {
    store.executions(&Filter::default(), None, 100).await.expect("a page").executions.len()
}

on_both_databases! {
    async fn every_answer_is_given_again_as_it_was(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        let commands = || vec![
            register(Registration { expected_seconds: Some(60), ..keyed("started", "a", "here", "0.6") }),
            register(waits(keyed("queued", "b", "here", "0.6"))),
            register(keyed("refused", "c", "here", "0.6")),
            register(keyed("too large", "d", "here", "1.5")),
        ];
        let first = decide(store, Some("here"), commands()).await;
        assert!(matches!(&first[..], [Answer::Registered(_), Answer::Queued(..), Answer::Refused(_),
                                      Answer::FactorTooLarge { .. }]), "{first:?}");
        let Answer::Queued(_, room) = &first[1] else { panic!("it waits") };
        assert_eq!(room.estimated_start, Some(clock.now() + SignedDuration::from_secs(60)));
        clock.advance(SignedDuration::from_secs(30));
        let end = Command::Complete { run_id: RunId(1), outcome: Outcome::Failure, token: None };
        let stop = Command::Cancel { run_id: RunId(2), reason: None, by: None, force: false };
        decide(store, Some("here"), vec![end, stop]).await;
        let repeated = decide(store, Some("here"), commands()).await;
        for (first, repeated) in first.iter().zip(&repeated) {
            assert_eq!(again(repeated), first);
        }
        let Answer::Again { salt, .. } = &repeated[0] else { panic!("given again") };
        assert_eq!(salt, "salt of started");
        assert_eq!(executions(store).await, 2, "nothing was decided anew");
    }

    async fn a_batch_sees_the_keys_of_its_own_earlier_members(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let commands = vec![
            register(keyed("one", "a", "here", "0.6")),
            register(keyed("one", "a", "here", "0.6")),
            register(waits(keyed("two", "b", "here", "0.6"))),
            register(waits(keyed("two", "b", "here", "0.6"))),
            register(keyed("one", "c", "here", "0.1")),
        ];
        let answers = decide(store.as_ref(), Some("here"), commands).await;
        assert_eq!(again(&answers[1]), &answers[0]);
        assert_eq!(again(&answers[3]), &answers[2]);
        assert_eq!(answers[4], Answer::KeyReused);
    }

    async fn a_key_is_for_one_request_for_a_day(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        let first = decide(store, Some("here"), vec![register(keyed("one", "a", "here", "0.6"))]).await.remove(0);
        let elsewhere = vec![register(keyed("one", "b", "there", "0.6"))];
        assert_eq!(decide(store, Some("there"), elsewhere.clone()).await, [Answer::KeyReused]);
        clock.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
        let same = || vec![register(keyed("one", "a", "here", "0.6"))];
        assert_eq!(again(&decide(store, Some("here"), same()).await[0]), &first);
        assert_eq!(store.forget_first_answers(clock.now() - SignedDuration::from_hours(24), 10).await.expect("deleted"), 0);
        clock.advance(SignedDuration::from_secs(1));
        let later = decide(store, Some("there"), elsewhere).await.remove(0);
        assert!(matches!(later, Answer::Registered(_)), "{later:?}");
        clock.advance(SignedDuration::from_hours(25));
        assert_eq!(store.forget_first_answers(clock.now() - SignedDuration::from_hours(24), 10).await.expect("deleted"), 1);
    }

    async fn one_key_used_everywhere_at_once_starts_one_test(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let store = std::sync::Arc::clone(&store);
            tasks.spawn(async move {
                let location = format!("location {number}");
                let commands = vec![register(keyed("one", &location, &location, "0.1"))];
                let mut batch = Batch::of(Some(LocationName::new(&location)), commands);
                // Another location's transaction may come between; then the batch is tried again.
                loop {
                    match store.decide(&batch).await {
                        Ok(mut decided) => return decided.answers.remove(0).expect("decided").remove(0),
                        Err(_) => batch.is_retry = true,
                    }
                }
            });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Answer::Registered(_))).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Answer::KeyReused)).count(), 7, "{answers:?}");
        assert_eq!(executions(store.as_ref()).await, 1);
    }
}
