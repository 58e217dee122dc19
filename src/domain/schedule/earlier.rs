//! The earlier runs of a test, by which a run of it is measured.

use jiff::SignedDuration;

use super::estimate::{Alike, median_seconds};
use crate::domain::execution::{Execution, Outcome, Status};
use crate::domain::history::{Filter, Pattern, SearchField};

/// By how many of the last a run is measured.
pub const MOST_EARLIER: usize = 20;

/// Finds all runs of the same test, and perhaps some whose names differ in upper and lower case.
#[must_use]
pub fn filter_of(alike: &Alike) -> Filter {
    let Alike { repo, test, kind, environment } = alike;
    let patterns = [
        (SearchField::Repo, repo),
        (SearchField::Test, test),
        (SearchField::Type, kind),
        (SearchField::Environment, environment),
    ];
    let patterns = patterns.map(|(field, text)| (field, Pattern::new(text))).into();
    Filter { patterns, ..Filter::default() }
}

/// Whether it is a run of this test that ran and has ended.
#[must_use]
pub fn tells_duration(run: &Execution, alike: &Alike) -> bool {
    duration_of(run).is_some() && Alike::of(&run.details) == *alike
}

/// How long a run took, once it has ended; nothing if it never ran, or if nobody knows when it ended.
#[must_use]
pub fn duration_of(run: &Execution) -> Option<SignedDuration> {
    let has_ended = matches!(run.status, Status::Ended(_)) && run.has_started();
    let end = run.end_time.filter(|_| has_ended)?;
    Some(end.duration_since(run.start_time))
}

/// The median of those that succeeded, in seconds.
#[must_use]
pub fn usual_seconds(runs: &[Execution]) -> Option<u32> {
    let successes = runs.iter().filter(|run| run.status == Status::Ended(Outcome::Success));
    median_seconds(successes.filter_map(duration_of).collect())
}

/// By how many per cent a duration is longer than usual, or shorter if it is negative.
#[must_use]
pub fn percent_longer(took: SignedDuration, usual_seconds: u32) -> i64 {
    let (took, usual) = (i128::from(took.as_secs()), i128::from(usual_seconds.max(1)));
    let twice = 200 * (took - usual) / usual;
    // Halves are rounded away from zero.
    i64::try_from(i128::midpoint(twice, twice.signum())).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::execution::{Details, Registration, RunId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).expect("in range")
    }

    fn ended(outcome: Outcome, seconds: i64) -> Execution {
        let run = Execution::started(&Registration::example(), RunId(1), at(0), 1);
        run.end(outcome, None, at(seconds)).expect("it runs")
    }

    #[test]
    fn only_what_ran_and_has_ended_of_the_same_test_tells_a_duration() {
        let run = ended(Outcome::Failure, 90);
        let alike = Alike::of(&run.details);
        assert!(tells_duration(&run, &alike));
        let details = Details { test: "X".to_owned(), ..Details::clone(&run.details) };
        let other = Execution { details: Arc::new(details), ..run.clone() };
        let running = Execution::started(&Registration::example(), RunId(1), at(0), 1);
        let waiting = Execution::queued(&Registration::example(), RunId(1), at(0));
        let gave_up = waiting.end(Outcome::Cancelled, None, at(9)).expect("it waits");
        let adopted = Execution { end_time: None, ..run };
        for none in [other, running, waiting, gave_up, adopted] {
            assert!(!tells_duration(&none, &alike), "{none:?}");
        }
    }

    #[test]
    fn what_failed_or_was_cancelled_is_not_usual() {
        let runs = [
            ended(Outcome::Success, 100),
            ended(Outcome::Failure, 1),
            ended(Outcome::Success, 300),
            ended(Outcome::Cancelled, 2),
            ended(Outcome::Success, 200),
        ];
        assert_eq!(usual_seconds(&runs), Some(200));
        assert_eq!(usual_seconds(&runs[1..2]), None);
    }

    #[test]
    fn a_difference_is_rounded_to_whole_per_cent() {
        for (took, usual, percent) in
            [(110, 100, 10), (90, 100, -10), (1_004, 1_000, 0), (1_006, 1_000, 1), (995, 1_000, -1), (5, 0, 400)]
        {
            assert_eq!(percent_longer(SignedDuration::from_secs(took), usual), percent, "{took} of {usual}");
        }
    }
}
