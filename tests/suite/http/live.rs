//! What tells an open page to fetch itself again, and pages that are made once for many.

use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::on_both_databases;
use crate::support::server::{PATIENCE, TestServer};

/// As many pages follow at once at the most.
const MOST_PAGES: usize = 250;

/// A page's stream, which names the messages that it gets.
struct Stream(std::pin::Pin<Box<dyn futures_util::Stream<Item = String> + Send>>);

impl Stream {
    async fn open(server: &TestServer, query: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self::open_with(&client, server, query).await
    }

    async fn open_with(client: &reqwest::Client, server: &TestServer, query: &str) -> Self {
        let response = client.get(format!("{}/live{query}", server.url)).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let chunks = response.bytes_stream().map(|chunk| String::from_utf8_lossy(&chunk.expect("bytes")).into_owned());
        let mut stream = Self(Box::pin(chunks));
        assert_eq!(stream.message().await, "event: alive\ndata: 1\n\n", "at once");
        stream
    }

    async fn message(&mut self) -> String {
        timeout(PATIENCE, self.0.next()).await.expect("a message in time").expect("a message")
    }

    /// Takes what says that the registry is followed from here on.
    async fn settle(&mut self) {
        assert_eq!(self.message().await, CHANGED);
    }
}

const CHANGED: &str = "event: changed\ndata: 1\n\n";
const ALIVE: &str = "event: alive\ndata: 1\n\n";

/// Whether the page of now shows these words.
async fn shows(server: &TestServer, words: &str) -> bool {
    server.http().page("/").await.text.contains(words)
}

on_both_databases! {
    async fn an_open_page_is_told_of_what_happens_on_any_server(database: &TestDatabase) {
        let (first, second) = TestServer::start_two(database);
        let mut stream = Stream::open(&second, "").await;
        stream.settle().await;
        let run = first.http().admit(json!({"factor": 0.2})).await;
        assert_eq!(stream.message().await, CHANGED);
        let mut of_run = Stream::open(&second, &format!("?run_id={}", run["run_id"])).await;
        let mut elsewhere = Stream::open(&second, "?location=elsewhere").await;
        first.http().admit(json!({"factor": 0.2, "location": "elsewhere"})).await;
        assert_eq!(elsewhere.message().await, CHANGED);
        first.http().post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await;
        assert_eq!(of_run.message().await, CHANGED);
        // Nothing else happened to it, nor there; what comes next only says that the server is there.
        assert_eq!((of_run.message().await.as_str(), elsewhere.message().await.as_str()), (ALIVE, ALIVE));
    }

    async fn a_page_that_is_fetched_after_a_message_shows_what_the_message_is_about(database: &TestDatabase) {
        let (first, second) = TestServer::start_two(database);
        let mut stream = Stream::open(&second, "").await;
        stream.settle().await;
        for number in 0..5 {
            let test = format!("newcomer-{number}");
            assert!(!shows(&second, &test).await);
            first.http().admit(json!({"test": test, "location": null, "factor": null})).await;
            while stream.message().await != CHANGED {}
            assert!(shows(&second, &test).await, "{test} is on the page that is fetched for it");
        }
    }

    async fn a_person_sees_on_the_page_of_now_what_a_form_has_changed(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        http.admit(json!({"factor": 0.2, "location": "lab"})).await;
        let form = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
        assert!(!shows(&server, "at maintenance").await);
        let body = "capacity=1&state=draining&reason=at+maintenance&by=ana";
        let sent = http.step(Method::POST, "/locations/lab", &form, body).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        assert!(shows(&server, "at maintenance").await, "nobody follows, and yet the page is another");
    }
}

#[tokio::test]
async fn much_that_happens_at_once_is_few_messages() {
    const TESTS: usize = 100;
    let (server, _database) = super::pages::serve().await;
    let mut stream = Stream::open(&server, "").await;
    stream.settle().await;
    let http = server.http();
    join_all((0..TESTS).map(|_| http.admit(json!({"location": null, "factor": null})))).await;
    let mut messages = 0;
    while stream.message().await == CHANGED {
        messages += 1;
    }
    assert!((1..=TESTS / 4).contains(&messages), "{messages} messages");
}

#[tokio::test]
async fn no_more_pages_follow_than_may_and_who_leaves_gives_the_place_up() {
    let (server, _database) = super::pages::serve().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let streams = join_all((0..MOST_PAGES).map(|_| Stream::open_with(&client, &server, ""))).await;
    let refused = server.http().get("/live").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), "2");
    let metrics = server.http().get("/metrics").await.text;
    assert!(metrics.contains(&format!("\nperfreg_live_pages {MOST_PAGES}\n")));
    drop(streams);
    let give_up = std::time::Instant::now() + PATIENCE;
    while !server.http().get("/metrics").await.text.contains("\nperfreg_live_pages 0\n") {
        assert!(std::time::Instant::now() < give_up, "nobody gives a place up");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Stream::open(&server, "").await;
}

#[tokio::test]
async fn a_wrong_question_of_a_page_is_told_so() {
    let (server, _database) = super::pages::serve().await;
    for (query, field) in [("?run_id=x", "run_id"), ("?nothing=1", "nothing"), ("?limit=1", "limit")] {
        let reply = server.http().get(&format!("/live{query}")).await;
        assert_eq!(reply.status, 422, "{query}: {}", reply.text);
        assert!(reply.text.contains(field), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_page_that_a_browser_has_is_not_sent_again_within_the_second_and_each_zone_has_its_own() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    let get = async |headers: &[(&str, &str)]| {
        http.try_send_with(Method::GET, "/status-html", headers, "").await.expect("an answer")
    };
    // A second may pass between two calls, but not each time.
    for _ in 0..20 {
        let first = get(&[]).await;
        let again = get(&[("if-none-match", first.header("etag"))]).await;
        if again.status == 304 {
            assert_eq!((again.text.as_str(), again.header("cache-control")), ("", first.header("cache-control")));
            let kolkata = get(&[("if-none-match", first.header("etag")), ("cookie", "zone=Asia%2FKolkata")]).await;
            assert_eq!(kolkata.status, 200);
            assert!(kolkata.text.contains("Asia/Kolkata") && !first.text.contains("Asia/Kolkata"));
            return;
        }
    }
    panic!("the page is sent each time");
}
