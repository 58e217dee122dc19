//! Beside whom a run ran: what ran at the same location at the same time.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use crate::domain::capacity::factor::Factor;
use crate::domain::execution::{Execution, Status};

/// A run that started this long before another and has ended since is not looked for beside it.
pub const LONGEST_LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A run at the same location, and for how long both ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    pub execution: Execution,
    pub overlap: SignedDuration,
}

/// From when to when a run ran, or has run until now; nothing if it never did, or if nobody knows when it ended.
#[must_use]
pub fn time_of(run: &Execution, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let end = match run.status {
        Status::Queued => return None,
        Status::Running => now,
        Status::Ended(_) => run.end_time?,
    };
    run.has_started().then_some((run.start_time, end.max(run.start_time)))
}

/// Of those that were found beside `run`, it and at least one more than `most` others if there are so many, the first `most`
/// that ran beside it, the longest first, and whether more were found.
#[must_use]
pub fn first_neighbours_of(
    run: &Execution,
    mut found: Vec<Execution>,
    most: usize,
    now: Timestamp,
) -> (Vec<Neighbour>, bool) {
    found.retain(|other| other.id != run.id);
    let more = found.len() > most;
    found.truncate(most);
    (neighbours_of(run, found, now), more)
}

/// Those of `others` that ran beside `run`, the longest first.
#[must_use]
pub fn neighbours_of(run: &Execution, others: Vec<Execution>, now: Timestamp) -> Vec<Neighbour> {
    let Some((start, end)) = time_of(run, now) else { return Vec::new() };
    let beside = |execution: Execution| {
        let (other_start, other_end) = time_of(&execution, now)?;
        let overlap = end.min(other_end).duration_since(start.max(other_start));
        (execution.id != run.id && overlap.is_positive()).then_some(Neighbour { execution, overlap })
    };
    let mut neighbours: Vec<Neighbour> = others.into_iter().filter_map(beside).collect();
    neighbours.sort_by_key(|one| (Reverse(one.overlap), one.execution.run_id));
    neighbours
}

/// The most that a run and those beside it used together, while it ran.
#[must_use]
pub fn peak(run: &Execution, neighbours: &[Neighbour], now: Timestamp) -> Factor {
    let Some((start, end)) = time_of(run, now) else { return Factor::ZERO };
    let mut changes: Vec<(Timestamp, bool, Factor)> = Vec::with_capacity(2 * neighbours.len());
    for Neighbour { execution, .. } in neighbours {
        let Some((from, to)) = time_of(execution, now) else { continue };
        changes.push((from.max(start), true, execution.factor()));
        changes.push((to.min(end), false, execution.factor()));
    }
    // What ends gives its share back before another takes it.
    changes.sort_unstable();
    let (mut used, mut most) = (run.factor(), run.factor());
    for (_, is_start, factor) in changes {
        used = if is_start { used + factor } else { used - factor };
        most = most.max(used);
    }
    most
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::domain::execution::{Details, Outcome, Registration, RunId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).expect("in range")
    }

    fn run(run_id: i64, start: i64, end: Option<i64>) -> Execution {
        let registration =
            Registration { id: Uuid::from_u128(run_id.cast_unsigned().into()), ..Registration::example() };
        let run = Execution::started(&registration, RunId(run_id), at(start), run_id);
        end.map_or(run.clone(), |end| run.end(Outcome::Success, None, at(end)).expect("it runs"))
    }

    #[test]
    fn a_run_is_beside_those_whose_time_it_shares_the_longest_first() {
        let asked = run(1, 100, Some(200));
        let others = vec![
            asked.clone(),
            run(2, 0, Some(100)),
            run(3, 0, Some(101)),
            run(4, 150, None),
            run(5, 200, Some(300)),
            run(6, 0, Some(900)),
        ];
        let beside = neighbours_of(&asked, others, at(1_000));
        let told: Vec<_> = beside.iter().map(|one| (one.execution.run_id.0, one.overlap.as_secs())).collect();
        assert_eq!(told, [(6, 100), (4, 50), (3, 1)]);
    }

    #[test]
    fn more_ran_only_where_more_others_were_found_than_are_looked_at() {
        let asked = run(1, 100, Some(200));
        for (others, shown, more) in [(0, 0, false), (1, 1, false), (2, 2, false), (3, 2, true)] {
            let found = (2..2 + others).map(|run_id| run(run_id, 0, None)).chain([asked.clone()]).collect();
            let (neighbours, is_more) = first_neighbours_of(&asked, found, 2, at(1_000));
            assert_eq!((neighbours.len(), is_more), (shown, more), "{others} others");
        }
    }

    #[test]
    fn the_peak_is_what_was_used_at_once_and_not_all_that_ran() {
        let with_factor = |run_id, start, end, tenths: i64| {
            let run = run(run_id, start, end);
            let factor = Some(Factor::from_millionths(tenths * 100_000));
            Execution { details: Arc::new(Details { factor, ..Details::clone(&run.details) }), ..run }
        };
        let asked = with_factor(1, 100, Some(200), 2);
        let others = vec![
            with_factor(2, 0, Some(150), 3),
            // It takes what the one before gives back.
            with_factor(3, 150, None, 4),
            with_factor(4, 190, Some(195), 1),
        ];
        let beside = neighbours_of(&asked, others, at(1_000));
        assert_eq!(peak(&asked, &beside, at(1_000)).to_string(), "0.7");
        assert_eq!(peak(&asked, &[], at(1_000)).to_string(), "0.2");
    }

    #[test]
    fn a_test_that_never_ran_was_beside_nobody() {
        let waiting = Execution::queued(&Registration::example(), RunId(1), at(100));
        let gave_up = waiting.end(Outcome::Cancelled, None, at(300)).expect("it waits");
        for never_ran in [waiting, gave_up] {
            assert_eq!(neighbours_of(&never_ran, vec![run(2, 0, None)], at(1_000)), []);
            assert_eq!(neighbours_of(&run(2, 0, None), vec![never_ran], at(1_000)), []);
        }
    }

    #[test]
    fn one_that_runs_still_is_beside_others_until_now() {
        let beside = neighbours_of(&run(1, 0, None), vec![run(2, 10, None)], at(60));
        assert_eq!(beside[0].overlap, SignedDuration::from_secs(50));
    }
}
