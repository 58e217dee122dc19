//! What runs and waits where, and what ran beside a run.

use perfreg::clock::Clock;
use perfreg::domain::answer::Answer;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::{Execution, Registration, RunId};
use perfreg::domain::schedule::board::BoardSnapshot;
use perfreg::store::Store;

use super::contract::{decide, start};
use crate::on_both_databases;
use crate::support::database::execute;
use crate::support::{details, registration};

async fn queue_up(store: &dyn Store, location: Option<&str>, factor: &str) {
    let waits = Registration { wait_seconds: 600, ..registration(details(location, factor)) };
    let answer = decide(store, location, vec![perfreg::domain::admission::Command::Register(waits)]).await.remove(0);
    assert!(matches!(answer, Answer::Queued(..)), "{answer:?}");
}

async fn board(store: &dyn Store, location: Option<&str>, most: usize) -> BoardSnapshot {
    store.board(location.map(LocationName::new).as_ref(), most).await.expect("a read")
}

fn run_ids(executions: &[Execution]) -> Vec<i64> {
    executions.iter().map(|execution| execution.run_id.0).collect()
}

fn names(board: &BoardSnapshot) -> Vec<Option<&str>> {
    board.locations.iter().map(|location| location.name.as_ref().map(LocationName::as_str)).collect()
}

on_both_databases! {
    async fn the_board_has_every_location_with_what_runs_and_waits_there(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let store = store.as_ref();
        assert_eq!(board(store, None, 9).await, BoardSnapshot::default());
        start(store, details(Some("here"), "0.6")).await;
        start(store, details(Some("Here"), "0.1")).await;
        queue_up(store, Some("here"), "0.7").await;
        queue_up(store, Some("here"), "0.1").await;
        let all = board(store, None, 9).await;
        assert_eq!(names(&all), [Some("Here"), Some("here")], "nobody runs without a location");
        assert_eq!((run_ids(&all.running), run_ids(&all.queued)), (vec![1, 2], vec![3, 4]));
        let here = &all.locations[1];
        assert_eq!((here.running, here.waiting, here.used.to_string().as_str()), (1, 2, "0.6"));

        start(store, details(None, "0.1")).await;
        assert_eq!(names(&board(store, None, 9).await), [None, Some("Here"), Some("here")]);
        let one = board(store, Some("here"), 9).await;
        assert_eq!((names(&one), run_ids(&one.running), run_ids(&one.queued)), (vec![Some("here")], vec![1], vec![3, 4]));
        let short = board(store, Some("here"), 1).await;
        assert_eq!((run_ids(&short.queued), short.locations[0].waiting), (vec![3], 2));
        assert_eq!(names(&board(store, Some("there"), 9).await), [None::<&str>; 0]);
    }

    async fn what_ran_at_a_location_in_some_time_is_found(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let store = store.as_ref();
        for location in ["here", "here", "here", "here", "here", "there"] {
            start(store, details(Some(location), "0.1")).await;
        }
        queue_up(store, Some("here"), "0.9").await;
        let time = |day: u32, hour: u32| format!("2020-01-{day:02}T{hour:02}:00:00.000000Z");
        let ran = |run_id: i64, start: String, end: String| {
            format!(
                "UPDATE test_executions SET start_time = '{start}', end_time = '{end}', status = 'success'
                  WHERE run_id = {run_id};"
            )
        };
        let changes = [
            ran(1, time(10, 8), time(10, 10)),
            ran(2, time(10, 9), time(10, 12)),
            ran(3, time(1, 0), time(10, 12)),
            format!("UPDATE test_executions SET start_time = '{}' WHERE run_id = 4;", time(1, 0)),
            ran(5, time(10, 11), time(10, 12)),
            ran(6, time(10, 9), time(10, 12)),
            // One that gave up waiting never ran.
            format!(
                "UPDATE test_executions SET start_time = '{}', end_time = '{}', status = 'cancelled' WHERE run_id = 7;",
                time(10, 9),
                time(10, 12)
            ),
        ];
        execute(database, &changes.concat()).await;
        let between = async |from: String, to: String, limit| {
            let (from, to) = (from.parse().expect("a time"), to.parse().expect("a time"));
            let found = store.runs_between(&LocationName::new("here"), from, to, limit).await.expect("a read");
            found.iter().map(|run| run.run_id).collect::<Vec<_>>()
        };
        let runs = |run_ids: &[i64]| run_ids.iter().copied().map(RunId).collect::<Vec<_>>();
        // However they are found: among the few that started at the time, by their profile, by none, or where a location
        // has too many to look each of them up.
        let numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2001)";
        let sqlite = database.url.starts_with("sqlite:");
        let many_starts = format!(
            "{numbers} INSERT INTO test_executions (id, run_id, repo, lac, stream, test, type, environment, triggered_by,
                                                    status, start_time, end_time, location)
             SELECT {}, 100 + n, '', '', '', '', '', '', '', 'failure', '{}', '{}', 'there' FROM numbers",
            if sqlite { "'failed ' || n" } else { "gen_random_uuid()" },
            time(10, 9),
            time(10, 10),
        );
        let many_profiles = format!(
            "{numbers} INSERT INTO perfreg_profiles (id, repo, lac, stream, test, type, environment, triggered_by, location)
             SELECT {}, '', '', '', '', '', '', '', 'here' FROM numbers",
            if sqlite { "randomblob(16)" } else { "gen_random_uuid()" },
        );
        let no_profile = "UPDATE test_executions SET profile = NULL WHERE run_id IN (2, 5)";
        for change in ["SELECT 1", &many_starts, no_profile, &many_profiles] {
            execute(database, change).await;
            assert_eq!(between(time(10, 9), time(10, 11), 9).await, runs(&[2, 1, 4]), "run 3 began too long before");
            assert_eq!(between(time(10, 9), time(10, 11), 2).await, runs(&[2, 1]), "the latest start first");
            assert_eq!(between(time(10, 10), time(10, 13), 9).await, runs(&[5, 2, 4]), "run 1 had just ended");
            assert_eq!(between(time(5, 0), time(10, 9), 9).await, runs(&[1, 4, 3]), "and run 2 had not begun");
            assert_eq!(between(time(10, 11), time(10, 13), 9).await, runs(&[5, 2, 4]), "run 2 had begun hours before");
        }
    }
}
