//! A page that the newest executions do not fill is as complete as any other.

use jiff::Timestamp;
use perfreg::clock::Clock;
use perfreg::domain::execution::{Outcome, Status};
use perfreg::domain::history::SearchField::{Lac, Test};
use perfreg::domain::history::{Filter, Pattern, SearchField};
use perfreg::store::Store;

use crate::on_both_databases;
use crate::support::database::{TestDatabase, execute};

/// More than are ever looked at on the way to a page.
const ALL: i64 = 24_000;
/// The oldest, each with a profile of its own: more profiles than are counted.
const RARE: i64 = 3_000;
/// The oldest of those: more profiles than are looked up at once, and fewer than are counted.
const ANCIENT: i64 = 600;

/// Among the newer half so few that a first look does not fill a page with them, in whichever status, but a second does.
fn is_now_and_then(run_id: i64) -> bool {
    run_id > 10_000 && (run_id % 28 == 0 || run_id % 36 == 2)
}

fn is_rare(run_id: i64) -> bool {
    run_id <= RARE || is_now_and_then(run_id)
}

fn is_ancient(run_id: i64) -> bool {
    run_id <= ANCIENT || is_now_and_then(run_id)
}

const SUCCESS: Status = Status::Ended(Outcome::Success);
const FAILURE: Status = Status::Ended(Outcome::Failure);

/// Of either more than are looked at because they are all.
fn status(run_id: i64) -> Status {
    if run_id % 4 == 0 { SUCCESS } else { FAILURE }
}

/// Some start at the same time, so that their numbers decide as well.
fn row(run_id: i64) -> String {
    let at = |seconds| Timestamp::from_second(1_767_225_600 + seconds).expect("in range");
    let (start, status) = (at(run_id / 3), status(run_id));
    let lac = if is_ancient(run_id) { "ancient" } else { "lac" };
    let test = if is_rare(run_id) { "rare" } else { "test" };
    let stream = if run_id <= RARE { run_id } else { 0 };
    format!(
        "('00000000-0000-4000-8000-{run_id:012}', {run_id}, 'repo', '{lac}', 'stream-{stream}', '{test}', 'type', 'prod',
          'user', '{status}', '{start:.6}', '{:.6}')",
        at(ALL)
    )
}

async fn fill(database: &TestDatabase) {
    drop(database.store(Clock::Real).await);
    let run_ids: Vec<i64> = (1..=ALL).collect();
    for some in run_ids.chunks(1_000) {
        let rows: Vec<String> = some.iter().map(|run_id| row(*run_id)).collect();
        let sql = format!(
            "INSERT INTO test_executions (id, run_id, repo, lac, stream, test, type, environment, triggered_by, status,
                                          start_time, end_time)
             VALUES {}",
            rows.join(", ")
        );
        execute(database, &sql).await;
    }
    drop(database.store(Clock::Real).await);
}

/// A filter and what it means.
struct Case {
    pattern: Option<(SearchField, &'static str)>,
    means: fn(i64) -> bool,
    status: Option<Status>,
}

impl Case {
    fn filter(&self) -> Filter {
        let patterns = self.pattern.iter().map(|(field, text)| (*field, Pattern::new(text))).collect();
        Filter { patterns, status: self.status, ..Filter::default() }
    }

    fn expected(&self) -> Vec<i64> {
        // Whatever lives has failed before.
        let had = |named| if matches!(named, Status::Ended(_)) { named } else { FAILURE };
        let is_meant =
            |run_id: &i64| (self.means)(*run_id) && self.status.is_none_or(|named| status(*run_id) == had(named));
        (1..=ALL).rev().filter(is_meant).collect()
    }

    async fn check_all_pages(&self, store: &dyn Store, limit: usize) {
        let filter = self.filter();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.executions(&filter, after, limit).await.expect("a page");
            found.extend(page.executions.iter().map(|run| run.run_id.0));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, self.expected(), "{filter:?}, {limit} a page");
    }

    async fn check_first_page(&self, store: &dyn Store, limit: usize) {
        let filter = self.filter();
        let page = store.executions(&filter, None, limit).await.expect("a page");
        let found: Vec<i64> = page.executions.iter().map(|run| run.run_id.0).collect();
        assert_eq!(found, self.expected()[..limit], "{filter:?}, {limit} a page");
    }
}

fn everything(status: Option<Status>) -> Case {
    Case { pattern: None, means: |_| true, status }
}

fn ancient(status: Option<Status>) -> Case {
    Case { pattern: Some((Lac, "ancient")), means: is_ancient, status }
}

fn rare(status: Option<Status>) -> Case {
    Case { pattern: Some((Test, "rare")), means: is_rare, status }
}

on_both_databases! {
    async fn pages_that_two_looks_at_the_newest_do_not_fill_are_complete_and_in_order(database: &TestDatabase) {
        fill(database).await;
        let store = database.store(Clock::Real).await;
        for status in [None, Some(SUCCESS), Some(FAILURE)] {
            for limit in [100, 1_000] {
                for case in [everything(status), ancient(status), rare(status)] {
                    case.check_all_pages(store.as_ref(), limit).await;
                }
            }
        }
    }

    async fn what_lives_is_found_whole_and_in_order_however_much_it_is(database: &TestDatabase) {
        fill(database).await;
        let store = database.store(Clock::Real).await;
        for living in [Status::Running, Status::Queued] {
            let revive = "UPDATE test_executions SET end_time = NULL, status = ";
            execute(database, &format!("{revive} '{living}' WHERE status NOT IN ('success', '{living}')")).await;
            for case in [everything(Some(living)), ancient(Some(living)), rare(Some(living))] {
                case.check_all_pages(store.as_ref(), 1_000).await;
            }
        }
    }

    async fn a_page_that_the_second_look_fills_is_not_asked_of_the_profiles(database: &TestDatabase) {
        fill(database).await;
        // Whoever asked the profiles would not find these any more.
        let hide = "DELETE FROM perfreg_profiles
                     WHERE id = (SELECT profile FROM test_executions WHERE run_id = 22400)";
        execute(database, hide).await;
        let store = database.store(Clock::Real).await;
        let store = store.as_ref();
        ancient(None).check_first_page(store, 200).await;
        rare(None).check_first_page(store, 200).await;
        for status in [SUCCESS, FAILURE] {
            rare(Some(status)).check_first_page(store, 100).await;
        }
        // There are few successes among the newest.
        everything(Some(SUCCESS)).check_first_page(store, 900).await;
    }
}
