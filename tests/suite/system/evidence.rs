//! What clients saw, and what it proves.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use perfreg::clock::Clock;
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::Location;
use perfreg::domain::execution::{Execution, Status};
use perfreg::domain::history::Filter;

use crate::support::database::TestDatabase;

/// One admitted test, as its client knows it.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub run_id: i64,
    pub id: String,
    pub factor: Factor,
    /// When the client had the answer: from here on the test runs for certain.
    pub answered_at: Instant,
    /// When the client asked to end it: from here on it may no longer run.
    pub end_sent_at: Option<Instant>,
    /// The outcome that was acknowledged.
    pub acknowledged_status: Option<String>,
}

/// What the database holds once everything is over.
pub struct Saved {
    pub executions: Vec<Execution>,
    pub locations: Vec<Location>,
}

impl Saved {
    pub async fn read(database: &TestDatabase) -> Self {
        let store = database.store(Clock::Real).await;
        let (mut executions, mut after) = (Vec::new(), None);
        loop {
            let page = store.executions(&Filter::default(), after, 1_000).await.expect("a page");
            executions.extend(page.executions);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Self { executions, locations: store.locations().await.expect("the locations") }
    }

    /// Nothing acknowledged is missing or different, and no number was given twice.
    pub fn assert_holds(&self, runs: &[Admitted]) {
        let saved: HashMap<i64, &Execution> = self.executions.iter().map(|run| (run.run_id.0, run)).collect();
        assert_eq!(saved.len(), self.executions.len(), "every run_id is there once");
        let numbers: HashSet<i64> = runs.iter().map(|run| run.run_id).collect();
        assert_eq!(numbers.len(), runs.len(), "no two clients got the same run_id");
        for run in runs {
            let saved =
                saved.get(&run.run_id).unwrap_or_else(|| panic!("run {} was acknowledged and lost", run.run_id));
            assert_eq!((saved.id.to_string(), saved.factor()), (run.id.clone(), run.factor));
            if let Some(status) = &run.acknowledged_status {
                assert_eq!(saved.status.as_str(), status, "the end of run {} was acknowledged", run.run_id);
            }
        }
    }

    /// What each location's row says is in use is what runs there.
    pub fn assert_sums(&self) {
        for location in &self.locations {
            let here = || self.executions.iter().filter(|run| run.details.location == location.name);
            let running = || here().filter(|run| run.status == Status::Running);
            assert_eq!(location.used, running().map(Execution::factor).sum(), "in use at {location:?}");
            assert_eq!(location.running, running().count() as i64);
            let highest = here().filter_map(|run| run.fence).max().unwrap_or_default();
            assert!(location.fence >= highest, "the fence grew with every start, also with one that was withdrawn");
        }
    }

    /// At no instant that the database recorded did a location reach its capacity.
    pub fn assert_never_full(&self) {
        for location in &self.locations {
            // Those without a fence gave up waiting and never ran.
            let ran = |run: &&Execution| run.details.location == location.name && run.fence.is_some();
            let here = self.executions.iter().filter(ran);
            let intervals = here.map(|run| (run.start_time, run.end_time, run.factor())).collect::<Vec<_>>();
            let most = most_at_once(&intervals);
            assert!(most < location.capacity, "{most} ran at once at {location:?}");
        }
    }
}

/// At no instant did tests that ran for certain, by their clients' own clocks, reach capacity 1.
pub fn assert_clients_never_saw_it_full(runs: &[Admitted]) {
    let intervals: Vec<_> = runs.iter().map(|run| (run.answered_at, run.end_sent_at, run.factor)).collect();
    let most = most_at_once(&intervals);
    assert!(most < Factor::ONE, "{most} ran at once");
}

/// The largest sum at any instant; an interval includes its start and excludes its end.
fn most_at_once<T: Copy + Ord>(intervals: &[(T, Option<T>, Factor)]) -> Factor {
    let starts = intervals.iter().map(|(start, _, factor)| (*start, 1, *factor));
    // One that ends as it starts still ran: its start counts before its end.
    let ends = intervals.iter().filter_map(|(start, end, factor)| {
        let end = (*end)?;
        Some((end, if end == *start { 2 } else { 0 }, *factor))
    });
    let mut changes: Vec<(T, u8, Factor)> = starts.chain(ends).collect();
    changes.sort();
    let (mut now, mut most) = (Factor::ZERO, Factor::ZERO);
    for (_, kind, factor) in changes {
        now = if kind == 1 { now + factor } else { now - factor };
        most = most.max(now);
    }
    most
}

#[test]
fn the_sweep_sees_tests_that_overlap_and_only_those() {
    let factor = |text| Factor::parse(text).expect("a factor");
    let apart = [(1, Some(2), factor("0.6")), (2, Some(3), factor("0.6")), (3, None, factor("0.3"))];
    assert_eq!(most_at_once(&apart), factor("0.6"));
    let overlapping = [(1, Some(3), factor("0.6")), (2, Some(3), factor("0.6"))];
    assert_eq!(most_at_once(&overlapping), factor("1.2"));
}
