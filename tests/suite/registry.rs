//! The registry above a database that misbehaves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{join, join_all};
use perfreg::clock::Clock;
use perfreg::domain::execution::{Execution, Status};
use perfreg::domain::history::Filter;
use perfreg::metrics::Format;
use perfreg::registry::{Beaten, Cancellation, Registered, Registry, RegistryError, Request, Until};
use perfreg::store::Store;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::on_both_databases;
use crate::support::database::{Engine, TestDatabase};
use crate::support::details;
use crate::support::loses_answers::LosesAnswers;
use crate::support::server::PATIENCE;

fn plain(location: Option<&str>, factor: &str) -> Request {
    Request::plain(details(location, factor))
}

/// Nothing has to be looked up of a test whose time is given.
fn timed(location: &str) -> Request {
    Request { expected_seconds: Some(60), ..plain(Some(location), "0.01") }
}

fn cancellation() -> Cancellation {
    Cancellation { reason: None, by: None, force: true }
}

fn started(registered: Registered) -> Execution {
    match registered {
        Registered::Started(execution, _) => execution,
        other => panic!("expected a start, not {other:?}"),
    }
}

on_both_databases! {
    async fn a_lost_answer_is_found_again_and_nothing_is_done_twice(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let registry = Registry::new(LosesAnswers::new(Arc::clone(&store), 2, Semaphore::MAX_PERMITS));
        let run = started(registry.register(plain(Some("here"), "0.6")).await.expect("an answer"));
        let page = store.executions(&Filter::default(), None, 10).await.expect("a page");
        assert_eq!(page.executions, [run]);
    }

    async fn what_stays_unknown_is_told_as_unknown(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let registry = Registry::new(LosesAnswers::new(store, usize::MAX, Semaphore::MAX_PERMITS));
        let error = registry.register(plain(Some("here"), "0.6")).await.expect_err("no answer");
        assert!(matches!(error, RegistryError::OutcomeUnknown(_)), "{error}");
    }

    async fn what_queues_up_while_a_commit_runs_goes_into_one_transaction(database: &TestDatabase) {
        let store = LosesAnswers::new(database.store(Clock::Real).await, 0, 0);
        let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>);
        let waiting = join_all((0..20).map(|_| registry.register(timed("here"))));
        // All twenty are asked before the second half runs. Whatever the first transaction took
        // along, the second has to take the rest, for there is no turn for a third.
        let (answers, ()) = join(timeout(PATIENCE, waiting), async { store.turns.add_permits(2) }).await;
        let run_ids: Vec<i64> = answers
            .expect("two transactions are enough")
            .into_iter()
            .map(|answer| started(answer.expect("an answer")).run_id.0)
            .collect();
        assert_eq!(run_ids, (1..=20).collect::<Vec<_>>(), "in the order in which they were asked");
    }

    async fn many_who_watch_one_execution_have_it_read_for_them_together(database: &TestDatabase) {
        let store = LosesAnswers::new(database.store(Clock::Real).await, 0, Semaphore::MAX_PERMITS);
        let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>);
        let run = started(registry.register(plain(Some("here"), "0.6")).await.expect("an answer"));
        let watch = || registry.watch(run.run_id, Some(Until::NotVersion(run.version)), PATIENCE);
        // The watchers begin first, in one task with the cancellation.
        let cancelled = registry.cancel(run.run_id, cancellation());
        let (watched, _) = join(join_all((0..100).map(|_| watch())), cancelled).await;
        for execution in watched {
            let execution = execution.expect("an answer").expect("it is there");
            assert!(matches!(execution.status, Status::Ended(_)), "{:?}", execution.status);
        }
        // Each by itself would read it twice.
        let reads = store.reads.load(Ordering::SeqCst);
        assert!(reads < 50, "it was read {reads} times");
    }

    async fn a_beat_is_no_news_but_is_in_what_is_answered_when_the_time_is_over(database: &TestDatabase) {
        const PATIENCE_FOR_BEATS: Duration = Duration::from_secs(1);
        const BEATS: usize = 20;
        let store = LosesAnswers::new(database.store(Clock::Real).await, 0, Semaphore::MAX_PERMITS);
        let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>);
        let request = Request { lease_seconds: Some(60), ..plain(Some("here"), "0.6") };
        let Registered::Started(run, Some(secret)) = registry.register(request).await.expect("an answer") else {
            panic!("it starts with a lease");
        };
        let watched = registry.watch(run.run_id, Some(Until::NotVersion(run.version)), PATIENCE_FOR_BEATS);
        let beats = async {
            for _ in 0..BEATS {
                registry.heartbeat(run.run_id, &secret, None, Duration::ZERO).await.expect("an answer");
            }
        };
        let (watched, ()) = join(watched, beats).await;
        let execution = watched.expect("an answer").expect("it is there");
        let expiry = |run: &Execution| run.lease.as_ref().and_then(|lease| lease.expires_at).expect("it has a lease");
        assert!(expiry(&execution) > expiry(&run), "{} is what it was at the start", expiry(&execution));
        let reads = store.reads.load(Ordering::SeqCst);
        assert!(reads < BEATS / 2, "it was read {reads} times");
    }

    async fn whose_time_is_over_is_given_what_was_read_where_no_more_can_be(database: &TestDatabase) {
        let store = LosesAnswers::new(database.store(Clock::Real).await, 0, Semaphore::MAX_PERMITS);
        let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>);
        let request = Request { lease_seconds: Some(60), ..plain(Some("here"), "0.6") };
        let Registered::Started(run, Some(secret)) = registry.register(request).await.expect("an answer") else {
            panic!("it starts with a lease");
        };
        let watched = registry.watch(run.run_id, Some(Until::NotVersion(run.version)), Duration::from_millis(300));
        let outage = async {
            registry.heartbeat(run.run_id, &secret, None, Duration::ZERO).await.expect("an answer");
            store.is_unreadable.store(true, Ordering::SeqCst);
        };
        let (watched, ()) = join(watched, outage).await;
        let execution = watched.expect("no error").expect("it is there");
        assert_eq!(execution.version, run.version);
    }

    async fn a_change_by_another_server_is_found(database: &TestDatabase) {
        let (store, other) = (database.store(Clock::Real).await, database.store(Clock::Real).await);
        let (registry, elsewhere) = (Registry::new(store), Registry::new(other));
        for location in [Some("here"), None] {
            let run = started(registry.register(plain(location, "0.6")).await.expect("an answer"));
            let watched = registry.watch(run.run_id, Some(Until::NotVersion(run.version)), PATIENCE);
            let find = async {
                registry.find_changes().await.expect("an answer");
                elsewhere.cancel(run.run_id, cancellation()).await.expect("an answer");
                loop {
                    registry.find_changes().await.expect("an answer");
                    // With nothing to ask the database, nobody else would have a turn.
                    tokio::task::yield_now().await;
                }
            };
            let execution = tokio::select! {
                execution = watched => execution.expect("an answer").expect("it is there"),
                () = find => unreachable!("it looks for ever"),
            };
            assert!(matches!(execution.status, Status::Ended(_)), "{:?}", execution.status);
        }
    }
}

#[tokio::test]
async fn a_defect_while_many_are_decided_is_told_to_them_and_holds_up_nobody_later() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = LosesAnswers::new(database.store(Clock::Real).await, 0, Semaphore::MAX_PERMITS);
    let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>);
    let register = |location| registry.register(timed(location));
    store.defects.store(1, Ordering::SeqCst);
    for answer in join_all((0..3).map(|_| register("here"))).await {
        let error = answer.expect_err("nobody decided it");
        assert!(matches!(error, RegistryError::Broken(_)), "{error}");
    }
    for location in ["here", "there"] {
        let answer = timeout(PATIENCE, register(location)).await.expect("somebody takes it up");
        started(answer.expect("an answer"));
    }
}

#[tokio::test]
async fn beside_a_transaction_of_many_the_next_waits_briefly_for_what_comes_meanwhile() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = LosesAnswers::new(database.store(Clock::Real).await, 0, 0);
    let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>);
    let register = |location| registry.register(timed(location));
    let begun = || store.begun.load(Ordering::SeqCst);
    // While the transactions have no turn, nothing but time passes.
    tokio::time::pause();
    let first = join_all((0..3).map(|_| register("here")));
    let later = async {
        sleep(Duration::from_millis(1)).await;
        join_all(["there", "there"].map(register)).await
    };
    let look = async {
        sleep(Duration::from_millis(19)).await;
        assert_eq!(begun(), 1);
        sleep(Duration::from_millis(3)).await;
        assert_eq!(begun(), 2);
        tokio::time::resume();
        store.turns.add_permits(2);
    };
    let (answers, ()) = join(timeout(PATIENCE, join(first, later)), look).await;
    let (first, later) = answers.expect("two transactions are enough");
    for answer in first.into_iter().chain(later) {
        started(answer.expect("an answer"));
    }
    assert_eq!(begun(), 2);
}

#[tokio::test]
async fn a_beat_soon_after_another_waits_a_moment_for_more_of_them() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = LosesAnswers::new(database.store(Clock::Real).await, 0, 3);
    let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>);
    let mut runs = Vec::new();
    for location in ["here", "there", "elsewhere"] {
        let request = Request { lease_seconds: Some(60), ..timed(location) };
        let Registered::Started(run, Some(secret)) = registry.register(request).await.expect("an answer") else {
            panic!("it starts with a lease");
        };
        runs.push((run.run_id, secret));
    }
    let before = store.begun.load(Ordering::SeqCst);
    let begun = || store.begun.load(Ordering::SeqCst) - before;
    let beat = |index: usize| registry.heartbeat(runs[index].0, &runs[index].1, None, Duration::ZERO);
    // While the transactions have no turn, nothing but time passes.
    tokio::time::pause();
    let later = async {
        sleep(Duration::from_millis(1)).await;
        join_all([1, 2].map(beat)).await
    };
    let look = async {
        sleep(Duration::from_millis(4)).await;
        assert_eq!(begun(), 1, "the first waits for nobody");
        sleep(Duration::from_millis(3)).await;
        assert_eq!(begun(), 2);
        tokio::time::resume();
        store.turns.add_permits(2);
    };
    let (answers, ()) = join(timeout(PATIENCE, join(beat(0), later)), look).await;
    let (first, later) = answers.expect("two transactions are enough");
    for answer in [first].into_iter().chain(later) {
        assert!(matches!(answer, Ok(Beaten::Alive(..))), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_up_one_location_holds_up_nobody_at_others() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let registry = Arc::new(Registry::new(database.store(Clock::Real).await));
    let names: Vec<String> = (0..40).map(|number| format!("place-{number}")).collect();
    for name in &names {
        started(registry.register(plain(Some(name), "0.1")).await.expect("an answer"));
    }
    // More locations than there are workers, of which most are held.
    let holder = database.connect().await;
    let (held, free) = names.split_at(4);
    holder.batch_execute("BEGIN").await.expect("a transaction");
    for name in held {
        let lock = format!("SELECT FROM perfreg_locations WHERE name = '{name}' FOR UPDATE");
        holder.batch_execute(&lock).await.expect("a lock");
    }
    let register = |name: &String| {
        let (registry, name) = (Arc::clone(&registry), name.clone());
        tokio::spawn(async move { registry.register(plain(Some(&name), "0.1")).await })
    };
    let waiting: Vec<_> = held.iter().map(register).collect();
    for _ in 0..5 {
        for task in free.iter().map(register).collect::<Vec<_>>() {
            started(task.await.expect("no panic").expect("an answer"));
        }
    }
    assert!(waiting.iter().all(|task| !task.is_finished()), "they are held");
    holder.batch_execute("COMMIT").await.expect("the locks are given back");
    for task in waiting {
        started(task.await.expect("no panic").expect("an answer"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scrapes_that_come_together_ask_the_database_once_a_second_at_the_most() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let store = LosesAnswers::new(database.store(Clock::Real).await, 0, Semaphore::MAX_PERMITS);
    let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>);
    let begun = std::time::Instant::now();
    for _ in 0..3 {
        let texts = join_all((0..20).map(|_| registry.metrics_text(Format::Plain))).await;
        assert!(texts.iter().all(|text| text.as_ref().is_ok_and(|text| text.contains("perfreg_database_up 1"))));
    }
    let asked = store.usages.load(Ordering::SeqCst) as u64;
    assert!(asked <= 1 + begun.elapsed().as_secs(), "{asked} in {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_lack_only_the_locations_while_the_database_is_away() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    // It was never prepared.
    let store = perfreg::store::open(&database.config(), Clock::Real).expect("a usable configuration");
    let text = Registry::new(store).metrics_text(Format::OpenMetrics).await.expect("a text");
    for part in ["perfreg_database_up 0", "process_cpu_seconds_total", "perfreg_commands_waiting 0", "# EOF"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("perfreg_location_"), "{text}");
}
