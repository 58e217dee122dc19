//! Every method of `Store` promises the same on both databases.

use jiff::SignedDuration;
use perfreg::clock::{Clock, SimulatedClock};
use perfreg::domain::admission::{Command, MOST_HOLDERS_NAMED};
use perfreg::domain::answer::{Answer, Refusal};
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::{Location, LocationName};
use perfreg::domain::execution::lease::TokenHash;
use perfreg::domain::execution::{Details, Execution, Outcome, Registration, RunId, Status};
use perfreg::domain::history::{Cursor, Filter};
use perfreg::store::{Batch, Store};

use crate::on_both_databases;
use crate::support::{details, registration};

pub fn clock() -> SimulatedClock {
    SimulatedClock::starting_at("2026-11-22T14:03:00.123456Z".parse().expect("a time"))
}

fn factor(text: &str) -> Factor {
    Factor::parse(text).expect("a factor")
}

fn register(details: Details) -> Command {
    Command::Register(registration(details))
}

fn end(run: &Execution, outcome: Outcome) -> Command {
    Command::Complete { run_id: run.run_id, outcome, token: None }
}

fn set_capacity(capacity: &str) -> Command {
    Command::SetLocation { capacity: Some(factor(capacity)), gate: None, by: None }
}

pub async fn decide(store: &dyn Store, location: Option<&str>, commands: Vec<Command>) -> Vec<Answer> {
    let batch = Batch::of(location.map(LocationName::new), commands);
    store.decide(&batch).await.expect("a decision").answers.remove(0).expect("a lane alone is decided")
}

/// Lets the time pass at a registry that is there all the time.
pub async fn let_pass(store: &dyn Store, clock: &SimulatedClock, time: SignedDuration) {
    const STEP: SignedDuration = SignedDuration::from_secs(4);
    store.pulse().await.expect("a pulse");
    let mut left = time;
    while left.is_positive() {
        clock.advance(left.min(STEP));
        left -= STEP;
        store.pulse().await.expect("a pulse");
    }
}

/// Starts a test with these details at its location.
pub async fn start(store: &dyn Store, details: Details) -> Execution {
    let location = details.location.clone();
    let answers = decide(store, location.as_ref().map(LocationName::as_str), vec![register(details)]).await;
    started(&answers[0]).clone()
}

pub fn started(answer: &Answer) -> &Execution {
    match answer {
        Answer::Registered(execution) => execution,
        other => panic!("expected a start, not {other:?}"),
    }
}

fn refusal(answer: &Answer) -> &Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

async fn location(store: &dyn Store, name: &str) -> Location {
    let all = store.locations().await.expect("the locations");
    let named = |location: &Location| location.name.as_ref().is_some_and(|found| found.as_str() == name);
    let found = all.into_iter().find(named).unwrap_or_else(|| panic!("no location {name}"));
    assert_eq!(store.location(&LocationName::new(name)).await.expect("a read").as_ref(), Some(&found));
    found
}

async fn page(store: &dyn Store, after: Option<Cursor>, limit: usize) -> (Vec<i64>, Option<Cursor>) {
    let page = store.executions(&Filter::default(), after, limit).await.expect("a page");
    (page.executions.iter().map(|run| run.run_id.0).collect(), page.next)
}

on_both_databases! {
    async fn the_version_of_a_location_grows_with_every_change_there(database: &TestDatabase) {
        let store = database.store(Clock::Simulated(clock())).await;
        let store = store.as_ref();
        let places = [Some(LocationName::new("here")), Some(LocationName::new("there")), None];
        let unused = store.location_versions(&places[..2]).await.expect("the versions");
        assert!(unused.is_empty(), "{unused:?}");
        let mut before = 0;
        let run = start(store, details(Some("here"), "0.5")).await;
        start(store, details(None, "0.5")).await;
        for command in [register(details(Some("here"), "0.1")), end(&run, Outcome::Success), set_capacity("2")] {
            decide(store, Some("here"), vec![command]).await;
            let versions = store.location_versions(&places).await.expect("the versions");
            let names: Vec<_> = versions.iter().map(|(name, _)| name.clone()).collect();
            assert!(names.contains(&places[0]) && !names.contains(&places[1]), "{names:?}");
            let here = versions.iter().find(|(name, _)| *name == places[0]).map_or(0, |(_, version)| *version);
            assert!(here > before, "{here} after {before}");
            before = here;
        }
    }

    async fn what_was_started_is_read_back_as_it_was_answered(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let extra = r#"{"workers":1e2,"Ünïcode":"\u0000 \" é","nested":{"b":1,"a":[null,12345678901234567890.10]}}"#;
        let asked = Details {
            test: "last – \"quoted\" %_\\".to_owned(),
            extra: extra.to_owned(),
            ..details(Some("azure-k8s"), "0.000001")
        };
        let run = start(store.as_ref(), asked.clone()).await;
        assert_eq!(*run.details, asked);
        assert_eq!(run.status, Status::Running);
        assert_eq!(store.execution(run.run_id).await.expect("a read"), Some(run.clone()));
        let listed = store.executions(&Filter::default(), None, 10).await.expect("a page");
        assert_eq!(listed.executions, [run]);
    }

    async fn optional_fields_may_be_missing(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let asked = Details { factor: None, dashboard_url: None, ..details(None, "0") };
        let run = start(store.as_ref(), asked.clone()).await;
        assert_eq!(*store.execution(run.run_id).await.expect("a read").expect("found").details, asked);
        assert_eq!(store.locations().await.expect("the locations"), []);
    }

    async fn an_unknown_run_id_is_no_execution(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        assert_eq!(store.execution(RunId(7)).await.expect("a read"), None);
        let unknown = Command::Complete { run_id: RunId(7), outcome: Outcome::Success, token: None };
        assert_eq!(decide(store.as_ref(), Some("here"), vec![unknown]).await, [Answer::NotFound]);
    }

    async fn a_refusal_carries_what_was_weighed_and_changes_nothing(database: &TestDatabase) {
        let store = database.store(Clock::Simulated(clock())).await;
        let run = start(store.as_ref(), details(Some("here"), "0.6")).await;
        let answers = decide(store.as_ref(), Some("here"), vec![register(details(Some("here"), "0.4"))]).await;
        let refused = refusal(&answers[0]);
        assert_eq!(refused.room.capacity, Factor::ONE);
        assert_eq!(refused.room.running_factor, factor("0.6"));
        assert_eq!(refused.room.available_factor(), factor("0.4"));
        assert_eq!(refused.room.blocking.len(), 1);
        assert_eq!(refused.room.blocking[0].run_id, run.run_id);
        assert_eq!(refused.room.blocking[0].start_time, run.start_time);
        assert_eq!(page(store.as_ref(), None, 10).await.0, [run.run_id.0]);
        assert_eq!(location(store.as_ref(), "here").await.used, factor("0.6"));
    }

    async fn a_refused_first_use_does_not_make_a_location(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        decide(store.as_ref(), Some("typo"), vec![register(details(Some("typo"), "1"))]).await;
        assert_eq!(store.location(&LocationName::new("typo")).await.expect("a read"), None);
        assert_eq!(store.locations().await.expect("the locations"), []);
    }

    async fn a_refusal_names_at_most_a_hundred_holders_and_counts_them_all(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let small = (0..MOST_HOLDERS_NAMED + 5).map(|_| register(details(Some("here"), "0.001"))).collect();
        decide(store.as_ref(), Some("here"), small).await;
        let large = start(store.as_ref(), details(Some("here"), "0.2")).await;
        let answers = decide(store.as_ref(), Some("here"), vec![register(details(Some("here"), "0.9"))]).await;
        let refused = refusal(&answers[0]);
        assert_eq!(refused.room.running, MOST_HOLDERS_NAMED as i64 + 6);
        assert_eq!(refused.room.blocking.len(), MOST_HOLDERS_NAMED);
        assert_eq!(refused.room.blocking[0].run_id, large.run_id);
        let others: Vec<i64> = refused.room.blocking[1..].iter().map(|holder| holder.run_id.0).collect();
        assert!(others.is_sorted());
    }

    async fn a_refusal_names_those_who_run_though_many_were_lost_at_once(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let leased = |factor, seconds| {
            let lease = Some((seconds, TokenHash("secret".to_owned())));
            Command::Register(Registration { lease, ..registration(details(Some("here"), factor)) })
        };
        decide(store.as_ref(), Some("here"), vec![set_capacity("1000")]).await;
        decide(store.as_ref(), Some("here"), (0..250).map(|_| leased("1.1", 60)).collect()).await;
        decide(store.as_ref(), Some("here"), (0..250).map(|_| leased("1", 3_600)).collect()).await;
        for (largest, running) in [("1.1", 500), ("1", 250)] {
            let answers = decide(store.as_ref(), Some("here"), vec![register(details(Some("here"), "900"))]).await;
            let room = &refusal(&answers[0]).room;
            assert_eq!((room.running, room.blocking.len()), (running, 100));
            assert!(room.blocking.iter().all(|holder| holder.factor == factor(largest)));
            let_pass(store.as_ref(), &clock, SignedDuration::from_secs(1_000)).await;
        }
    }

    async fn a_batch_is_decided_in_its_order_and_numbered_in_it(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let first = start(store.as_ref(), details(Some("here"), "0.9")).await;
        let commands = vec![
            register(details(Some("here"), "0.05")),
            register(details(Some("here"), "0.5")),
            end(&first, Outcome::Success),
            register(details(Some("here"), "0.5")),
            end(&first, Outcome::Failure),
            set_capacity("2.5"),
            register(details(Some("here"), "1.9")),
        ];
        let answers = decide(store.as_ref(), Some("here"), commands).await;
        let small = started(&answers[0]);
        let named: Vec<RunId> = refusal(&answers[1]).room.blocking.iter().map(|holder| holder.run_id).collect();
        assert_eq!(named, [first.run_id, small.run_id]);
        assert!(matches!(&answers[2], Answer::Ended(run) if run.status == Status::Ended(Outcome::Success)));
        assert!(started(&answers[3]).run_id > small.run_id);
        assert!(matches!(answers[4], Answer::EndedOtherwise(_)));
        assert!(started(&answers[6]).run_id > started(&answers[3]).run_id);
        let here = location(store.as_ref(), "here").await;
        assert_eq!((here.capacity, here.used, here.running, here.fence), (factor("2.5"), factor("2.45"), 3, 4));
    }

    async fn ending_gives_the_share_back_once(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let run = start(store.as_ref(), details(Some("here"), "0.7")).await;
        clock.advance(SignedDuration::from_mins(5));
        let ended = decide(store.as_ref(), Some("here"), vec![end(&run, Outcome::Cancelled)]).await;
        clock.advance(SignedDuration::from_mins(5));
        let again = decide(store.as_ref(), Some("here"), vec![end(&run, Outcome::Cancelled)]).await;
        assert_eq!(ended, again);
        let saved = store.execution(run.run_id).await.expect("a read").expect("found");
        assert_eq!(ended, [Answer::Ended(saved.clone())]);
        assert_eq!(saved.end_time, Some(run.start_time + SignedDuration::from_mins(5)));
        assert_eq!(location(store.as_ref(), "here").await.used, Factor::ZERO);
    }

    async fn a_clock_that_is_set_back_ends_nothing_before_its_start(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let run = start(store.as_ref(), details(None, "0")).await;
        clock.advance(SignedDuration::from_hours(-1));
        decide(store.as_ref(), None, vec![end(&run, Outcome::Success)]).await;
        let saved = store.execution(run.run_id).await.expect("a read").expect("found");
        assert_eq!(saved.end_time, Some(run.start_time));
    }

    async fn a_retry_after_a_commit_whose_answer_was_lost_starts_nothing_twice(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let commands = vec![register(details(Some("here"), "0.6")), register(details(Some("here"), "0.3"))];
        let first = Batch::of(Some(LocationName::new("here")), commands);
        let answers = store.decide(&first).await.expect("a decision").answers;
        let retry = Batch { is_retry: true, ..first };
        assert_eq!(store.decide(&retry).await.expect("a decision").answers, answers);
        assert_eq!(location(store.as_ref(), "here").await.running, 2);
    }

    async fn a_capacity_can_be_set_before_the_first_use_and_below_what_runs(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let set = |capacity| vec![set_capacity(capacity)];
        decide(store.as_ref(), Some("b"), set("1000")).await;
        decide(store.as_ref(), Some("a"), set("0.5")).await;
        start(store.as_ref(), details(Some("b"), "999.999999")).await;
        decide(store.as_ref(), Some("b"), set("0.000001")).await;
        let names: Vec<String> = store
            .locations()
            .await
            .expect("the locations")
            .iter()
            .map(|location| format!("{} {} {}", location.name.as_ref().expect("a name"), location.used, location.capacity))
            .collect();
        assert_eq!(names, ["a 0 0.5", "b 999.999999 0.000001"]);
    }

    async fn pages_are_newest_first_with_ties_by_run_id_and_neither_skip_nor_repeat(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        for _ in 0..3 {
            let batch = (0..3).map(|_| register(details(None, "0"))).collect();
            decide(store.as_ref(), None, batch).await;
            clock.advance(SignedDuration::from_secs(1));
        }
        let (first, next) = page(store.as_ref(), None, 4).await;
        let (second, next) = page(store.as_ref(), next, 4).await;
        let (third, last) = page(store.as_ref(), next, 4).await;
        assert_eq!([first, second, third].concat(), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(last, None);
        assert_eq!(page(store.as_ref(), None, 9).await.1, None, "a full last page has no next");
    }

    async fn lists_are_filtered_by_status_and_time(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let early = start(store.as_ref(), details(None, "0")).await;
        clock.advance(SignedDuration::from_secs(1));
        let late = start(store.as_ref(), details(None, "0")).await;
        decide(store.as_ref(), None, vec![end(&early, Outcome::Failure)]).await;
        let list = async |filter: Filter| {
            let page = store.executions(&filter, None, 10).await.expect("a page");
            page.executions.iter().map(|run| run.run_id).collect::<Vec<_>>()
        };
        let with_status = |status| Filter { status: Some(status), ..Filter::default() };
        assert_eq!(list(with_status(Status::Running)).await, [late.run_id]);
        assert_eq!(list(with_status(Status::Ended(Outcome::Failure))).await, [early.run_id]);
        assert_eq!(list(Filter { from: Some(late.start_time), ..Filter::default() }).await, [late.run_id]);
        assert_eq!(list(Filter { to: Some(late.start_time), ..Filter::default() }).await, [early.run_id]);
    }

    async fn the_real_clock_gives_the_present(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let before = perfreg::clock::now();
        let run = start(store.as_ref(), details(None, "0")).await;
        assert!(run.start_time.duration_since(before).abs() < SignedDuration::from_mins(1));
    }

    async fn a_prepared_store_answers_and_can_be_prepared_again(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let run = start(store.as_ref(), details(Some("here"), "0.5")).await;
        store.prepare().await.expect("the second time changes nothing");
        store.ping().await.expect("an answer");
        let reopened = database.store(Clock::Real).await;
        assert_eq!(reopened.execution(run.run_id).await.expect("a read"), Some(run));
    }

    async fn nothing_is_answered_before_the_database_is_prepared(database: &TestDatabase) {
        let store = perfreg::store::open(&database.config(), Clock::Real).expect("a usable configuration");
        let error = store.ping().await.expect_err("not prepared");
        assert!(matches!(error, perfreg::store::StoreError::Unavailable(_)), "{error}");
    }
}
