//! The tests would find what they are for: each bug that is put in on purpose makes one of them fail.

use std::process::Command;

use perfreg::seeded_bug::Bug;

const SIMULATION: &str = "whatever_goes_wrong_in_a_simulated_world_every_promise_is_kept";

/// Those that need neither load nor faults to be found, each with the test that finds it; `chaos/run` finds the others.
const FOUND_BY: &[(Bug, &str)] = &[
    (Bug::NanAsZero, "no_form_of_a_number_is_rounded_or_guessed"),
    (Bug::FloatSums, SIMULATION),
    (Bug::BatchIgnoresItself, SIMULATION),
    (Bug::DoubleRelease, SIMULATION),
    (Bug::FenceUnchecked, SIMULATION),
    (Bug::RetryStartsAgain, SIMULATION),
    (Bug::LostWakeUp, SIMULATION),
    (Bug::ExpiryByTransactionStart, "the_time_of_a_decision_is_read_after_it_has_waited_for_its_lock"),
    (Bug::AcknowledgementOnWarning, "a_commit_whose_wait_is_cancelled_is_acknowledged_only_once_the_standby_has_it"),
];

/// What a test says of a program that is told to have the bug.
fn run(test: &str, bug: Bug) -> String {
    let this = std::env::current_exe().expect("a test binary");
    let output = Command::new(this).arg(test).env("PERFREG_SEEDED_BUG", bug.as_str()).output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(not(feature = "seeded-bugs"))]
#[test]
fn an_ordinary_build_has_no_seeded_bug() {
    let (bug, test) = FOUND_BY[0];
    let said = run(test, bug);
    assert!(said.contains("1 passed; 0 failed"), "{said}");
}

#[cfg(feature = "seeded-bugs")]
#[test]
fn each_seeded_bug_is_found_by_the_test_that_is_for_it() {
    use std::time::{Duration, Instant};
    for (bug, test) in FOUND_BY {
        let begun = Instant::now();
        let said = run(test, *bug);
        let name = bug.as_str();
        assert!(said.contains("0 passed; 1 failed"), "{name} is not found: {said}");
        println!("{name:<28} found after {:>5.1} s by {test}", begun.elapsed().as_secs_f64());
        assert!(begun.elapsed() < Duration::from_mins(1), "{name} is found only after {:?}", begun.elapsed());
    }
}
