//! The page of now: is there room for me, who holds it, when is my turn, what became of my run.

use reqwest::Method;
use serde_json::{Value, json};

use super::pages::serve;
use crate::on_both_databases;
use crate::support::http::{Http, example};
use crate::support::server::TestServer;

const LARGEST_PAGE_BYTES: usize = 150_000;

async fn register(http: &Http, changes: Value) -> i64 {
    let reply = http.post("/register", &example(changes)).await;
    assert!(reply.status.is_success(), "{}", reply.text);
    reply.json()["run_id"].as_i64().expect("a number")
}

/// The page without what stands between its words, and the part of it from this text on.
async fn words_from(http: &Http, path: &str, beginning: &str) -> String {
    let page = http.get(path).await.text;
    let (_, part) = page.split_once(beginning).unwrap_or_else(|| panic!("{beginning} in {page}"));
    let mut words = String::new();
    let mut is_tag = false;
    for one in part.chars() {
        match one {
            '<' => is_tag = true,
            '>' => is_tag = false,
            _ if !is_tag => words.push(one),
            _ => {}
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a card says, up to its end.
async fn card(http: &Http, query: &str, location: &str) -> String {
    let page = http.get(&format!("/{query}")).await.text;
    let (_, card) = page.split_once(&format!("id=\"location-{location}\"")).expect("a card");
    card.split_once("</section>").expect("its end").0.to_owned()
}

#[tokio::test]
async fn an_empty_registry_says_what_to_do_next() {
    let (server, _database) = serve().await;
    let page = server.http().get("/").await.text;
    for part in
        ["<strong>0 tests run</strong>", "perfreg run --repo demo", "perfreg locations set", "Nothing has ended yet"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
}

on_both_databases! {
    async fn a_card_says_how_much_is_free_who_holds_it_and_who_is_next(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let run = register(&http, json!({"factor": 0.85, "expected_seconds": 600, "test": "checkout"})).await;
        register(&http, json!({"factor": 0.9, "wait_seconds": 3_600, "test": "patient"})).await;
        register(&http, json!({"factor": 0.2, "wait_seconds": 3_600, "test": "urgent", "priority": 9})).await;
        let card = card(&http, "", "azure-k8s").await;
        for part in ["0.15 <small>of 1 free</small>", "2 wait", &format!("checkout {run} holds 0.85"), "width=\"85.00%\""] {
            assert!(card.contains(part), "{part} in {card}");
        }
        let position = |text: &str| card.find(text).unwrap_or_else(|| panic!("{text} in {card}"));
        assert!(position("<span class=\"place\">1</span>") < position(">urgent<") && position(">urgent<") < position(">patient<"));
        let sentence = words_from(&http, "/", "id=\"summary\" data-live>").await;
        assert!(sentence.starts_with("1 test runs, 2 wait. Next: urgent at azure-k8s, about "), "{sentence}");
    }

    async fn the_question_when_a_test_would_start_is_answered_on_every_card(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        register(&http, json!({"factor": 0.6, "expected_seconds": 600})).await;
        register(&http, json!({"factor": 0.1, "location": "free"})).await;
        register(&http, json!({"factor": 0.1, "location": "closed"})).await;
        http.send(Method::PUT, "/locations/closed", &json!({"state": "draining", "reason": "new nodes", "by": "ana"})).await;
        let asked = "?factor=0.5&minutes=20";
        assert!(card(&http, asked, "free").await.contains("0.5 would start at once."));
        let later = card(&http, asked, "azure-k8s").await;
        assert!(later.contains("0.5 would start \u{2248} <time"), "{later}");
        assert!(card(&http, asked, "closed").await.contains("0.5 would start once it is opened."));
        let never = card(&http, "?factor=1.5&minutes=20", "free").await;
        assert!(never.contains("1.5 never starts here; at most 0.999999 does."), "{never}");
    }

    async fn what_ended_last_comes_first_whenever_it_began(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let mut runs = Vec::new();
        for test in ["first", "second", "third"] {
            runs.push(register(&http, json!({"factor": 0.1, "test": test})).await);
        }
        for run_id in [runs[2], runs[0]] {
            http.post("/complete", &json!({"run_id": run_id, "status": "success"})).await;
        }
        let ended = words_from(&http, "/", "id=\"ended\"").await;
        let position = |text: &str| ended.find(text).unwrap_or(usize::MAX);
        assert!(position("first") < position("third") && position("second") == usize::MAX, "{ended}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_beside_the_form_with_what_was_typed() {
    let (server, _database) = serve().await;
    let page = server.http().get("/?factor=%3Cb%3E&minutes=0").await.text;
    assert!(
        page.contains("value=\"&#60;b&#62;\"") && page.contains("The minutes must be a whole number from 1 to 10080.")
    );
    assert!(page.contains("aria-invalid=\"true\""), "{page}");
}

#[tokio::test]
async fn the_page_says_what_is_asked_to_stop_and_what_is_closed() {
    let (server, _database) = serve().await;
    let http = server.http();
    register(&http, json!({"factor": 0.9, "lease_seconds": 60})).await;
    http.post("/cancel", &json!({"run_id": 1, "reason": "wrong build"})).await;
    http.send(Method::PUT, "/locations/azure-k8s", &json!({"state": "stopped", "reason": "new nodes", "by": "ana"}))
        .await;
    http.send(Method::PUT, "/registry", &json!({"state": "draining", "reason": "drill"})).await;
    let page = http.get("/").await.text;
    for part in [
        "asked to stop: wrong build",
        "The whole registry is draining",
        "<bdi>drill</bdi>",
        "<bdi>new nodes</bdi>",
        "<bdi>ana</bdi>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn no_page_is_larger_than_150_kilobytes_whatever_is_in_it() {
    let (server, _database) = serve().await;
    let http = server.http();
    let long = "\u{1f680}".repeat(250);
    for number in 0..60 {
        let (location, test) = (format!("{long}{}", number / 4), format!("{long}{number}"));
        register(
            &http,
            json!({"location": location, "test": test, "stream": long, "triggered_by": long, "factor": 0.01}),
        )
        .await;
    }
    let page = http.get("/").await.text;
    assert!(page.len() <= LARGEST_PAGE_BYTES, "{} bytes", page.len());
    assert!(page.contains("<strong>60 tests run</strong> at 15 locations"), "all are counted");
}
