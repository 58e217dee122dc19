use jiff::Timestamp;

use super::event::sentence;
use crate::domain::capacity::location::LocationName;
use crate::domain::event::{EventId, EventKind, SavedEvent};
use crate::domain::execution::RunId;

fn told(kind: EventKind, by: Option<&str>, facts: &str) -> String {
    let is_of_a_run = !matches!(
        kind,
        EventKind::Refused
            | EventKind::LocationSet
            | EventKind::LocationOpened
            | EventKind::LocationDeleted
            | EventKind::LocationMerged
            | EventKind::RegistrySet
            | EventKind::RegistryOpened
            | EventKind::Resumed
    );
    sentence(&SavedEvent {
        id: EventId::default(),
        at: Timestamp::UNIX_EPOCH,
        kind: kind.as_str().to_owned(),
        run_id: is_of_a_run.then_some(RunId(8)),
        location: Some(LocationName::new("azure-k8s")),
        by: by.map(str::to_owned),
        facts: facts.to_owned(),
    })
}

const NO_ROOM: &str = r#"{"cause":"no_room","requested_factor":0.5,"capacity":1,"running_factor":0.700001,"running":5,
    "test":"soak","blocking":[{"run_id":3,"factor":0.4},{"run_id":4,"factor":0.1}]}"#;

#[test]
fn a_test_that_may_not_start_is_told_of_with_what_is_in_its_way() {
    assert_eq!(
        told(EventKind::Queued, Some("ana"), NO_ROOM),
        "run 8 waits for azure-k8s: 0.700001 runs at azure-k8s and 0.5 more would not stay below 1. Running there: \
         run 3 (0.4), run 4 (0.1) and 3 more"
    );
    assert_eq!(
        told(EventKind::Refused, Some("ana"), r#"{"cause":"queue","ahead":2,"first_ahead":[5,6],"test":"soak"}"#),
        "test soak by ana was refused at azure-k8s: 2 tests wait for azure-k8s already and go first. Run 5 is the next"
    );
    let too_large = r#"{"cause":"too_large","requested_factor":3,"capacity":2,"test":"soak"}"#;
    assert_eq!(
        told(EventKind::Refused, None, too_large),
        "test soak was refused at azure-k8s: 3 is more than may be asked for; the largest factor that fits is 1.999999"
    );
}

#[test]
fn a_refusal_by_a_gate_says_whose_it_was_unless_a_version_before_has_not_noted_it() {
    for (noted, whose) in [
        (r#","closed_by_registry":true"#, "the registry is"),
        (r#","closed_by_registry":false"#, "azure-k8s is"),
        ("", "nothing starts:"),
    ] {
        let facts = format!(
            r#"{{"cause":"gate","state":"draining","reason":"release.","until":"2026-11-22T16:00:00Z","test":"soak"{noted}}}"#
        );
        assert_eq!(
            told(EventKind::Refused, None, &facts),
            format!("test soak was refused at azure-k8s: {whose} draining until 2026-11-22T16:00:00Z: release")
        );
    }
    let withdrawn = r#"{"cause":"gate","closed_by_registry":true}"#;
    assert_eq!(
        told(EventKind::StartWithdrawn, None, withdrawn),
        "the start of run 8 was withdrawn, since the registry was stopped before its waiter had heard of it; it waits \
         again"
    );
}

#[test]
fn a_start_says_beside_how_much_and_after_which_wait() {
    let alone = r#"{"requested_factor":0.5,"capacity":1,"running_factor":0,"running":0,"fence":1}"#;
    assert_eq!(told(EventKind::Started, None, alone), "run 8 started at azure-k8s with 0.5 of 1, alone");
    let beside = r#"{"requested_factor":0.5,"capacity":1,"running_factor":0.3,"running":1,"waited_seconds":720}"#;
    assert_eq!(
        told(EventKind::Started, None, beside),
        "run 8 started at azure-k8s with 0.5 of 1, beside 0.3, after waiting 12m"
    );
}

#[test]
fn an_end_says_how_and_why() {
    for (facts, by, expected) in [
        (r#"{"status":"success","ran_seconds":303}"#, None, "run 8 succeeded after 5m 3s"),
        (r#"{"status":"failure","ran_seconds":0}"#, None, "run 8 failed after 0s"),
        (
            r#"{"status":"failure","end_reason":"lost","ran_seconds":90}"#,
            None,
            "run 8 was declared lost after 1m 30s, since no heartbeat came",
        ),
        (
            r#"{"status":"cancelled","end_reason":"wait_timeout","waited_seconds":60}"#,
            None,
            "run 8 gave up waiting after 1m",
        ),
        (
            r#"{"status":"cancelled","reason":"no need","waited_seconds":60}"#,
            Some("ana"),
            "run 8 was cancelled by ana while it waited: no need",
        ),
        (r#"{"status":"cancelled","ran_seconds":5}"#, Some("ana"), "run 8 was cancelled by ana after 5s"),
    ] {
        assert_eq!(told(EventKind::Ended, by, facts), expected);
    }
}

#[test]
fn what_is_set_says_what_was_before_and_who_set_it() {
    let capacity = r#"{"capacity":2.5,"capacity_before":1}"#;
    let set = told(EventKind::LocationSet, Some("ops"), capacity);
    assert_eq!(set, "the capacity of azure-k8s was set to 2.5 (1 before) by ops");
    let gate = r#"{"state":"stopped","reason":"kernel upgrade","until":"2026-11-22T16:00:00Z"}"#;
    let stopped = told(EventKind::RegistrySet, Some("ops"), gate);
    assert_eq!(stopped, "the registry was set to stopped until 2026-11-22T16:00:00Z by ops: kernel upgrade");
}

#[test]
fn every_kind_has_a_sentence_of_its_own_even_where_facts_are_missing() {
    let sentences: std::collections::HashSet<String> =
        EventKind::ALL.into_iter().map(|kind| told(kind, None, "{}")).collect();
    assert_eq!(sentences.len(), EventKind::ALL.len());
    for sentence in &sentences {
        assert!(sentence.contains(' ') && !sentence.contains('_') && !sentence.contains("  "), "{sentence}");
    }
}
