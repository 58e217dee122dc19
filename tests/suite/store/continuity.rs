//! What is promised over an outage: no lease runs out for it, and no number is given twice after it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use perfreg::clock::{Clock, SimulatedClock};
use perfreg::config::database::{DatabaseConfig, Durability};
use perfreg::config::passwords::PasswordSources;
use perfreg::domain::admission::Command;
use perfreg::domain::answer::Answer;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::event::{EventFilter, EventKind, Order, SavedEvent};
use perfreg::domain::execution::lease::TokenHash;
use perfreg::domain::execution::{EndReason, Execution, Registration, RunId, Status};
use perfreg::store::{self, Batch, Store};

use super::contract::{clock, decide, let_pass, start, started};
use crate::on_both_databases;
use crate::support::cluster::{Node, dump_and_restore};
use crate::support::database::{Engine, TestDatabase, execute};
use crate::support::server::PATIENCE;
use crate::support::{details, registration};

/// A registration of a minute's lease.
fn leased(factor: &str) -> Command {
    let lease = Some((60, TokenHash("secret".to_owned())));
    Command::Register(Registration { lease, ..registration(details(Some("here"), factor)) })
}

async fn sweep(store: &dyn Store) {
    decide(store, Some("here"), vec![Command::Sweep]).await;
}

async fn run(store: &dyn Store, run_id: i64) -> Execution {
    store.execution(RunId(run_id)).await.expect("a read").expect("found")
}

async fn returns(store: &dyn Store) -> Vec<SavedEvent> {
    let filter = EventFilter { kinds: vec![EventKind::Resumed], ..EventFilter::default() };
    store.events(&filter, None, Order::OldestFirst, 10).await.expect("the events")
}

async fn is_due(store: &dyn Store) -> bool {
    !store.due(false).await.expect("the locations").is_empty()
}

fn advance(clock: &SimulatedClock, seconds: i64) {
    clock.advance(SignedDuration::from_secs(seconds));
}

on_both_databases! {
    async fn no_lease_runs_out_while_the_registry_is_away(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        decide(store, Some("here"), vec![leased("0.5")]).await;
        let_pass(store, &clock, SignedDuration::from_secs(30)).await;
        let silent_since = clock.now();
        advance(&clock, 600);
        // Whoever comes first cannot know whether the runner beat in vain.
        assert!(is_due(store).await);
        sweep(store).await;
        assert_eq!(run(store, 1).await.status, Status::Running);
        let pulse = store.pulse().await.expect("a pulse");
        assert_eq!(pulse.continuity.resumed_at, Some(clock.now()));
        let events = returns(store).await;
        assert_eq!((events.len(), events[0].location.as_ref()), (1, None));
        assert!(events[0].facts.contains(&format!("\"{silent_since}\"")), "{}", events[0].facts);
        sweep(store).await;
        assert_eq!(run(store, 1).await.status, Status::Running);
        assert!(!is_due(store).await, "nobody has to look again before the lease runs out");
        let_pass(store, &clock, SignedDuration::from_secs(61)).await;
        sweep(store).await;
        assert!(run(store, 1).await.lease.is_some_and(|lease| lease.suspect));
        let_pass(store, &clock, SignedDuration::from_secs(60)).await;
        sweep(store).await;
        assert_eq!(run(store, 1).await.end_reason, Some(EndReason::Lost), "it is dead after all");
        assert_eq!(returns(store).await.len(), 1);
    }

    async fn a_clock_that_is_set_back_or_ahead_expires_no_lease_and_makes_none_longer(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        for by in [3_600, -3_600] {
            let answers = decide(store, Some("here"), vec![leased("0.1")]).await;
            let run_id = started(&answers[0]).run_id.0;
            store.pulse().await.expect("a pulse");
            advance(&clock, by);
            sweep(store).await;
            store.pulse().await.expect("a pulse");
            sweep(store).await;
            assert_eq!(run(store, run_id).await.status, Status::Running, "{by}");
            let_pass(store, &clock, SignedDuration::from_secs(119)).await;
            sweep(store).await;
            assert_eq!(run(store, run_id).await.status, Status::Running, "{by}");
            let_pass(store, &clock, SignedDuration::from_secs(2)).await;
            sweep(store).await;
            assert_eq!(run(store, run_id).await.end_reason, Some(EndReason::Lost), "{by}");
        }
    }

    async fn a_registry_in_which_nobody_has_a_lease_writes_no_pulse(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        start(store, details(Some("here"), "0.1")).await;
        assert_eq!(store.pulse().await.expect("a pulse").continuity.pulse_at, None);
        decide(store, Some("here"), vec![leased("0.1")]).await;
        assert_eq!(store.pulse().await.expect("a pulse").continuity.pulse_at, Some(clock.now()));
        let end = Command::Cancel { run_id: RunId(2), reason: None, by: None, force: true };
        decide(store, Some("here"), vec![end]).await;
        let_pass(store, &clock, SignedDuration::from_secs(8)).await;
        assert_eq!(store.pulse().await.expect("a pulse").continuity.pulse_at, None);
        advance(&clock, 3_600);
        decide(store, Some("here"), vec![leased("0.1")]).await;
        store.pulse().await.expect("a pulse");
        assert!(returns(store).await.is_empty(), "it was idle, not away");
    }

    async fn a_run_that_the_database_has_forgotten_is_taken_back_under_its_number(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let first = started(&decide(store.as_ref(), Some("here"), vec![leased("0.5")]).await[0]).clone();
        let lost = started(&decide(store.as_ref(), Some("here"), vec![leased("0.25")]).await[0]).clone();
        execute(database, "DELETE FROM test_executions WHERE run_id = 2").await;
        let forget = "UPDATE perfreg_locations SET used_millionths = 500000, running = 1, leased = 1, fence = 1,
                             version = version + 1";
        execute(database, forget).await;
        let showing = |token: &str| Command::TakeBack {
            receipt: Arc::new(lost.clone()),
            token: TokenHash(token.to_owned()),
        };
        let wrong = decide(store.as_ref(), Some("here"), vec![showing("guess")]).await;
        assert_eq!(wrong, [Answer::WrongToken]);
        let answers = decide(store.as_ref(), Some("here"), vec![leased("0.125"), showing("secret")]).await;
        assert_eq!(started(&answers[0]).run_id, RunId(3));
        let Answer::TakenBack(taken_back) = &answers[1] else { panic!("expected its return, not {answers:?}") };
        assert_eq!(run(store.as_ref(), 2).await, *taken_back);
        assert_eq!((taken_back.id, taken_back.fence, &taken_back.details), (lost.id, lost.fence, &lost.details));
        let here = store.locations().await.expect("the locations").remove(0);
        assert_eq!((here.used.to_string(), here.running, here.leased), ("0.875".to_owned(), 3, 3));
        assert!(here.fence > first.fence.unwrap_or_default());
        let end = Command::Cancel { run_id: RunId(2), reason: None, by: None, force: true };
        let answers = decide(store.as_ref(), Some("here"), vec![end, leased("0.125")]).await;
        assert!(matches!(answers[0], Answer::Ended(_)));
        assert_eq!(started(&answers[1]).run_id, RunId(4), "its number is not given again");
    }

    async fn no_start_has_a_fence_below_the_floor(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let first = start(store.as_ref(), details(Some("here"), "0.1")).await;
        assert_eq!(first.fence, Some(1));
        execute(database, "UPDATE perfreg_registry SET fence_floor = 1700000000000000").await;
        for (location, fence) in
            [("here", 1_700_000_000_000_000), ("here", 1_700_000_000_000_001), ("there", 1_700_000_000_000_000)]
        {
            assert_eq!(start(store.as_ref(), details(Some(location), "0.1")).await.fence, Some(fence), "{location}");
        }
    }
}

/// Starts so many, asking again for as long as the database is away.
async fn start_some(store: &dyn Store, count: usize) -> Vec<Execution> {
    let commands = (0..count).map(|_| Command::Register(registration(details(Some("here"), "0.000001")))).collect();
    let mut batch = Batch::of(Some(LocationName::new("here")), commands);
    let give_up = Instant::now() + PATIENCE;
    loop {
        match store.decide(&batch).await {
            Ok(mut decided) => {
                let answers: Vec<Answer> = decided.answers.remove(0).expect("a lane alone is decided");
                return answers.iter().map(|answer| started(answer).clone()).collect();
            }
            Err(error) => assert!(Instant::now() < give_up, "{error}"),
        }
        batch.is_retry = true;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fence_and_no_run_id_is_given_twice_though_a_standby_has_lost_some() {
    let mut primary = Node::primary().await;
    let standby = primary.standby().await;
    let url = Node::url_of(&[&primary, &standby]);
    let config = DatabaseConfig {
        url: url.parse().expect("a database URL"),
        connections: 4,
        durability: Durability::Local,
        passwords: PasswordSources::default(),
    };
    let store = store::open(&config, Clock::Real).expect("a usable configuration");
    store.prepare().await.expect("a usable database");
    let store = store.as_ref();
    let mut given = start_some(store, 40).await;
    given.push(started(&decide(store, Some("here"), vec![leased("0.1")]).await[0]).clone());
    let leased = given[40].run_id;
    store.pulse().await.expect("a pulse");
    standby.catch_up_with(&primary).await;
    standby.stop_following().await;
    // More than the numbers that PostgreSQL leaves out of a sequence after a crash.
    given.extend(start_some(store, 100).await);
    given.push(started(&decide(store, Some("here"), vec![self::leased("0.2")]).await[0]).clone());
    let lost = given.last().expect("some").clone();
    primary.kill();
    standby.promote().await;
    given.extend(start_some(store, 100).await);
    assert_eq!(store.execution(lost.run_id).await.expect("a read"), None, "the standby has lost some");
    let run_ids: HashSet<RunId> = given.iter().map(|run| run.run_id).collect();
    let fences: HashSet<i64> = given.iter().filter_map(|run| run.fence).collect();
    assert_eq!((run_ids.len(), fences.len()), (242, 242));
    assert!(given.is_sorted_by_key(|run| (run.run_id, run.fence)));
    let events = returns(store).await;
    assert_eq!(events.len(), 1);
    assert!(events[0].facts.contains("\"timeline_before\":1,\"timeline\":2"), "{}", events[0].facts);
    assert_eq!(run(store, leased.0).await.status, Status::Running);
    let shown = Command::TakeBack { receipt: Arc::new(lost.clone()), token: TokenHash("secret".to_owned()) };
    decide(store, Some("here"), vec![shown]).await;
    let taken_back = run(store, lost.run_id.0).await;
    assert_eq!((taken_back.id, taken_back.fence, taken_back.status), (lost.id, lost.fence, Status::Running));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fence_and_no_run_id_is_given_twice_though_a_dump_was_put_back() {
    let (database, put_back) = (TestDatabase::new(Engine::Postgres).await, TestDatabase::new(Engine::Postgres).await);
    let store = database.store(Clock::Real).await;
    let mut given = vec![started(&decide(store.as_ref(), Some("here"), vec![leased("0.1")]).await[0]).clone()];
    store.pulse().await.expect("a pulse");
    dump_and_restore(&database.direct_url, &put_back.direct_url);
    // As if it came from a server that was promoted before.
    execute(&put_back, "UPDATE perfreg_registry SET timeline = 7").await;
    given.extend(start_some(store.as_ref(), 10).await);
    let lost = started(&decide(store.as_ref(), Some("here"), vec![leased("0.2")]).await[0]).clone();
    given.push(lost.clone());
    for _restart in 0..2 {
        let store = put_back.store(Clock::Real).await;
        given.extend(start_some(store.as_ref(), 10).await);
        assert!(given.is_sorted_by(|one, next| (one.run_id, one.fence) < (next.run_id, next.fence)));
        let events = returns(store.as_ref()).await;
        assert_eq!(events.len(), 1, "it is noticed once");
        assert!(events[0].facts.contains("\"silent_since\""), "{}", events[0].facts);
        assert_eq!(run(store.as_ref(), 1).await.status, Status::Running);
    }
    let store = put_back.store(Clock::Real).await;
    let shown = Command::TakeBack { receipt: Arc::new(lost.clone()), token: TokenHash("secret".to_owned()) };
    decide(store.as_ref(), Some("here"), vec![shown]).await;
    assert_eq!(run(store.as_ref(), lost.run_id.0).await.id, lost.id);
    assert!(returns(database.store(Clock::Real).await.as_ref()).await.is_empty(), "the first stays as it was");
}
