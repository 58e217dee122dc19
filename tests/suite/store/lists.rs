//! A list shows, page by page, what its filter means, in whichever way it is found.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use perfreg::clock::{Clock, SimulatedClock};
use perfreg::domain::admission::Command;
use perfreg::domain::execution::{Details, Execution, Outcome, RunId, Status};
use perfreg::domain::history::SearchField::{Environment, Lac, Location, Repo, Stream, Test, TriggeredBy, Type};
use perfreg::domain::history::{Filter, Pattern, SearchField, fold_case};
use perfreg::store::Store;

use super::contract::{clock, decide, started};
use super::search::matches;
use crate::on_both_databases;
use crate::support::database::execute;
use crate::support::{details, registration};

const BATCH: usize = 250;
/// More than is looked at one by one, both of those that have ended and of those that run.
const OLDER: usize = 6_000;
const ALL: usize = 12_000;

/// More kinds than are looked up at once, of which some only ran in the beginning.
fn kind(number: usize) -> Details {
    let tests = ["load", "STRASSE", "straße-2", "100%_done", "σίσυφος", "a\"b'c"];
    let era = if number < 600 { "Alt-Σ" } else { "neu" };
    Details {
        repo: format!("repo-{}", number % 3),
        lac: era.to_owned(),
        stream: format!("release-{:03}", number * 7 % 310),
        test: tests[number % tests.len()].to_owned(),
        kind: if number == 17 { "once".to_owned() } else { "performance".to_owned() },
        triggered_by: format!("Usér{}", number % 40),
        ..details([None, Some("k8s-a"), Some("K8S-b"), Some("vm")][number / BATCH % 4], "0")
    }
}

/// The older half has ended, all but a few with success; of the newer few have.
fn outcome(number: usize) -> Option<Outcome> {
    match number {
        _ if number % 41 == 40 => Some(Outcome::Failure),
        _ if number < OLDER => Some(Outcome::Success),
        _ if number % 500 == 3 => Some(Outcome::Cancelled),
        _ => None,
    }
}

/// Batch after batch at its location, so that those of a batch have started at the same time.
async fn fill(store: &dyn Store, clock: &SimulatedClock) -> Vec<Execution> {
    let mut run_ids = Vec::new();
    for first in (0..ALL).step_by(BATCH) {
        let location = kind(first).location.map(|name| name.to_string());
        let register = |number| Command::Register(registration(kind(number)));
        let answers = decide(store, location.as_deref(), (first..first + BATCH).map(register).collect()).await;
        let started: Vec<RunId> = answers.iter().map(|answer| started(answer).run_id).collect();
        let end = |(number, run_id): (usize, &RunId)| {
            Some(Command::Complete { run_id: *run_id, outcome: outcome(number)?, token: None })
        };
        decide(store, location.as_deref(), (first..).zip(&started).filter_map(end).collect()).await;
        clock.advance(SignedDuration::from_secs(60));
        run_ids.extend(started);
    }
    let mut all = Vec::new();
    for run_id in run_ids {
        all.push(store.execution(run_id).await.expect("a read").expect("found"));
    }
    all.sort_by_key(|run| Reverse((run.start_time, run.run_id)));
    all
}

/// What patterns mean, written down a second time and as plainly as possible.
fn fit(patterns: &[(SearchField, &str)], run: &Execution) -> bool {
    let fits = |(field, pattern): &(SearchField, &str)| {
        let characters = |text: &str| fold_case(text).chars().collect::<Vec<char>>();
        field.of(&run.details).is_some_and(|text| matches(&characters(pattern), &characters(text)))
    };
    patterns.iter().all(fits)
}

/// What the rest of a filter means.
fn lets_through(filter: &Filter, run: &Execution) -> bool {
    filter.status.is_none_or(|status| run.status == status)
        && filter.from.is_none_or(|from| run.start_time >= from)
        && filter.to.is_none_or(|to| run.start_time < to)
}

/// Compares all pages with the runs that fit the patterns.
async fn check(
    store: &dyn Store,
    fitting: &[&Execution],
    patterns: &[(SearchField, &str)],
    status: Option<Status>,
    span: (Option<Timestamp>, Option<Timestamp>),
) {
    let filter = Filter {
        patterns: patterns.iter().map(|(field, text)| (*field, Pattern::new(text))).collect(),
        status,
        from: span.0,
        to: span.1,
    };
    let expected: Vec<&Execution> = fitting.iter().copied().filter(|run| lets_through(&filter, run)).collect();
    let mut found = Vec::new();
    let mut after = None;
    for limit in [1, 2, 97, 400].into_iter().chain(std::iter::repeat(1_000)) {
        let page = store.executions(&filter, after, limit).await.expect("a page");
        assert!(page.executions.len() <= limit);
        found.extend(page.executions);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let numbers = |runs: &mut dyn Iterator<Item = &Execution>| runs.map(|run| run.run_id.0).collect::<Vec<_>>();
    assert_eq!(numbers(&mut found.iter()), numbers(&mut expected.iter().copied()), "{filter:?}");
    assert!(found.iter().eq(expected), "{filter:?}");
}

const PATTERNS: &[&[(SearchField, &str)]] = &[
    &[],
    &[(Repo, "%")],
    &[(Location, "%")],
    &[(Location, "%8S%")],
    &[(Location, "vm"), (Lac, "%alt%")],
    &[(Lac, "%ς%")],
    &[(Lac, "%σ%"), (Test, "%SS%")],
    &[(Lac, "neu")],
    &[(Stream, "release-007")],
    &[(Stream, "%-00%")],
    &[(Stream, "RELEASE%7"), (TriggeredBy, "%É%")],
    &[(Test, "%ss%"), (Repo, "%1")],
    &[(Test, "%\"b'%")],
    &[(Test, "%00%_do%")],
    &[(Test, "%σίσυ%ΟΣ")],
    &[(Type, "%once%")],
    &[(Type, "%nce"), (Environment, "prod")],
    &[(Type, "%nowhere%")],
];

on_both_databases! {
    async fn every_filter_finds_page_by_page_what_a_plain_one_finds(database: &TestDatabase) {
        let clock = clock();
        let store = database.store(Clock::Simulated(clock.clone())).await;
        let store = store.as_ref();
        let all = fill(store, &clock).await;
        // As whoever inserts executions by hand leaves it.
        execute(database, "UPDATE test_executions SET profile = NULL WHERE run_id % 31 = 0").await;
        let (first, last) = (all[all.len() - 1].start_time, all[0].start_time);
        let middle = first + SignedDuration::from_secs(5 * 60);
        let spans = [
            (None, None),
            (Some(middle), None),
            (None, Some(middle)),
            (Some(middle), Some(middle + SignedDuration::from_secs(120))),
            (Some(last), Some(first)),
        ];
        let statuses = [
            None,
            Some(Status::Queued),
            Some(Status::Running),
            Some(Status::Ended(Outcome::Success)),
            Some(Status::Ended(Outcome::Failure)),
            Some(Status::Ended(Outcome::Cancelled)),
        ];
        for (number, patterns) in PATTERNS.iter().enumerate() {
            let fitting: Vec<&Execution> = all.iter().filter(|run| fit(patterns, run)).collect();
            check(store, &fitting, patterns, None, spans[0]).await;
            for (other, status) in statuses.into_iter().enumerate() {
                check(store, &fitting, patterns, status, spans[(number + other) % spans.len()]).await;
            }
        }
    }

    async fn executions_that_somebody_inserts_are_searchable_after_the_next_start(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        for location in [None, Some("here")] {
            let usual = Details { test: "Straße \"1:\"".to_owned(), ..details(location, "0") };
            decide(store.as_ref(), location, vec![Command::Register(registration(usual))]).await;
        }
        drop(store);
        execute(database, "UPDATE test_executions SET profile = NULL; DELETE FROM perfreg_terms").await;
        let store = database.store(Clock::Real).await;
        let pattern = Filter { patterns: vec![(Test, Pattern::new("%SSE%"))], ..Filter::default() };
        assert_eq!(store.executions(&pattern, None, 10).await.expect("a page").executions.len(), 2);
        let here = Filter { patterns: vec![(Location, Pattern::new("%er%"))], ..Filter::default() };
        assert_eq!(store.executions(&here, None, 10).await.expect("a page").executions.len(), 1);
        // Had the database called a profile otherwise than the server does, there were more of them.
        let count = "INSERT INTO perfreg_profiles SELECT * FROM perfreg_profiles
                      WHERE (SELECT count(*) FROM perfreg_profiles) <> 2
                         OR (SELECT count(*) FROM test_executions WHERE profile IS NULL) <> 0";
        execute(database, count).await;
    }
}
