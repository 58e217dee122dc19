//! Searching means the same on both databases, whatever their locale.

use perfreg::clock::Clock;
use perfreg::domain::execution::Details;
use perfreg::domain::history::SearchField::{Environment, Lac, Location, Repo, Stream, Test, TriggeredBy, Type};
use perfreg::domain::history::{Filter, Pattern, SearchField, fold_case};
use perfreg::store::Store;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::contract::start;
use crate::on_both_databases;
use crate::support::details;

async fn find(store: &dyn Store, patterns: &[(SearchField, &str)]) -> Vec<i64> {
    let patterns = patterns.iter().map(|(field, pattern)| (*field, Pattern::new(pattern))).collect();
    let filter = Filter { patterns, ..Filter::default() };
    let page = store.executions(&filter, None, 1_000).await.expect("a page");
    page.executions.iter().map(|run| run.run_id.0).collect()
}

async fn start_in_streams(store: &dyn Store, streams: &[&str]) {
    for stream in streams {
        start(store, Details { stream: (*stream).to_owned(), ..details(None, "0") }).await;
    }
}

/// What `%` means, written down a second time and as plainly as possible.
pub fn matches(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        Some((first, rest)) => text.first() == Some(first) && matches(rest, &text[1..]),
    }
}

fn any_text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[aAbBéÉßẞσςΣ%_\\\\'.*é]{1,4}").expect("a pattern")
}

on_both_databases! {
    async fn percent_is_any_run_of_characters_and_case_does_not_count(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        start_in_streams(store.as_ref(), &["Élan-2", "élan", "Elan-2", "main", "100%_done", "100x_done", "a\\b"]).await;
        for (pattern, found) in [
            ("ÉLAN%", vec![2, 1]),
            ("élan", vec![2]),
            ("%2", vec![3, 1]),
            ("%LAN%", vec![3, 2, 1]),
            ("MAIN", vec![4]),
            ("mai", vec![]),
            ("m%n", vec![4]),
            ("1%_done", vec![6, 5]),
            ("100_done", vec![]),
            ("%\\%", vec![7]),
            ("%", vec![7, 6, 5, 4, 3, 2, 1]),
            ("%%", vec![7, 6, 5, 4, 3, 2, 1]),
            ("' OR 1=1 --", vec![]),
        ] {
            assert_eq!(find(store.as_ref(), &[(Stream, pattern)]).await, found, "{pattern}");
        }
    }

    async fn every_field_can_be_searched_and_all_conditions_hold(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let run = start(store.as_ref(), Details {
            repo: "r1".into(), lac: "l1".into(), stream: "s1".into(), test: "t1".into(), kind: "k1".into(),
            environment: "e1".into(), triggered_by: "b1".into(),
            ..details(Some("p1"), "0.1")
        }).await;
        start(store.as_ref(), details(None, "0")).await;
        let all = [(Repo, "R1"), (Lac, "L1"), (Stream, "S1"), (Test, "T1"), (Type, "K1"), (Environment, "E1"),
                   (TriggeredBy, "B1"), (Location, "P1")];
        for condition in all {
            assert_eq!(find(store.as_ref(), &[condition]).await, [run.run_id.0], "{condition:?}");
        }
        assert_eq!(find(store.as_ref(), &all).await, [run.run_id.0]);
        assert_eq!(find(store.as_ref(), &[(Stream, "s1"), (Repo, "myrepo")]).await, Vec::<i64>::new());
    }

    async fn any_pattern_finds_what_a_plain_matcher_finds(database: &TestDatabase) {
        let store = database.store(Clock::Real).await;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut sample = |count: usize| -> Vec<String> {
            (0..count).map(|_| any_text().new_tree(&mut runner).expect("a text").current()).collect()
        };
        let (streams, patterns) = (sample(40), sample(150));
        start_in_streams(store.as_ref(), &streams.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for pattern in &patterns {
            let folded: Vec<char> = fold_case(pattern).chars().collect();
            let mut expected: Vec<i64> = (1..).zip(&streams)
                .filter(|(_, stream)| matches(&folded, &fold_case(stream).chars().collect::<Vec<_>>()))
                .map(|(run_id, _)| run_id)
                .collect();
            expected.reverse();
            assert_eq!(find(store.as_ref(), &[(Stream, pattern)]).await, expected, "{pattern}");
        }
    }
}
