//! Who waits, in the order in which they start.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use super::duration::describe;
use super::output::table;
use crate::wire::execution::Execution;

/// For every so many seconds waited, the registry raises a waiter's priority by one.
const SECONDS_PER_STEP: i64 = 600;

/// The waiters of each location, as far as their order can be told without the registry's own queue.
pub fn waiters_table(mut waiters: Vec<Execution>, now: Timestamp) -> String {
    waiters.sort_by_cached_key(|waiter| (waiter.location.clone(), waiter.suspect, rank(waiter, now)));
    let row = |waiter: &Execution| {
        [
            waiter.run_id.to_string(),
            waiter.location.clone().unwrap_or_else(|| "-".to_owned()),
            waiter.factor.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            waiter.priority.to_string(),
            describe(waited(waiter, now)),
            waiter.test.clone(),
            waiter.environment.clone(),
            waiter.stream.clone(),
            waiter.triggered_by.clone(),
        ]
    };
    let header = ["RUN", "WAITS FOR", "FACTOR", "PRIORITY", "WAITED", "TEST", "ENVIRONMENT", "STREAM", "BY"];
    table(header, &[0, 2, 3, 4], waiters.iter().map(row).collect())
}

/// The smallest starts first.
fn rank(waiter: &Execution, now: Timestamp) -> impl Ord + use<> {
    let steps = waited(waiter, now).as_secs() / SECONDS_PER_STEP;
    (Reverse(i64::from(waiter.priority) + steps), waiter.queued_at, waiter.run_id)
}

fn waited(waiter: &Execution, now: Timestamp) -> SignedDuration {
    let start = waiter.queued_at.unwrap_or(now);
    now.duration_since(start).max(SignedDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waiter(run_id: i64, location: &str, priority: u8, queued_at: &str) -> Execution {
        let waiter = json!({
            "id": "0190a1b2-0000-7000-8000-000000000000", "run_id": run_id, "repo": "shop", "lac": "default",
            "stream": "main", "test": "soak", "type": "performance", "environment": "prod", "triggered_by": "ana",
            "status": "queued", "start_time": queued_at, "queued_at": queued_at, "factor": 0.5, "location": location,
            "priority": priority, "suspect": false, "overdue": false, "version": 1, "extra": {},
        });
        serde_json::from_str(&waiter.to_string()).expect("an execution")
    }

    #[test]
    fn waiters_stand_in_the_order_in_which_they_start() {
        let waiters = vec![
            waiter(5, "here", 5, "2026-11-22T14:15:00Z"),
            waiter(4, "here", 5, "2026-11-22T14:15:00Z"),
            waiter(3, "here", 7, "2026-11-22T14:19:00Z"),
            waiter(2, "here", 5, "2026-11-22T13:58:00Z"),
            waiter(1, "a-farm", 0, "2026-11-22T14:19:20Z"),
        ];
        let table = waiters_table(waiters, "2026-11-22T14:20:00Z".parse().expect("a time"));
        let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let rest = "soak prod main ana";
        let expected = [
            format!("1 a-farm 0.5 0 40s {rest}"),
            format!("2 here 0.5 5 22m {rest}"),
            format!("3 here 0.5 7 1m {rest}"),
            format!("4 here 0.5 5 5m {rest}"),
            format!("5 here 0.5 5 5m {rest}"),
        ];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }
}
