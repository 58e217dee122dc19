//! What happened, as JSON and as a stream.

use std::time::Instant;

use futures_util::StreamExt;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::on_both_databases;
use crate::support::http::example;
use crate::support::server::{PATIENCE, TestServer};

/// Server-sent events, read one by one.
struct Stream {
    body: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<Vec<u8>>> + Send>>,
    text: String,
    /// The id after which it begins.
    beginning: String,
}

impl Stream {
    async fn open(server: &TestServer, path: &str, last_event_id: Option<&str>) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut request = client.get(format!("{}{path}", server.url)).header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response: Response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec()));
        let mut stream = Self { body: Box::pin(body), text: String::new(), beginning: String::new() };
        let first = timeout(PATIENCE, stream.message()).await.expect("a beginning in time").expect("a beginning");
        let id = first.strip_prefix("id:").unwrap_or_else(|| panic!("only an id, not {first:?}"));
        id.trim().clone_into(&mut stream.beginning);
        stream
    }

    /// The next event's id and body, in time; `None` if the server ended the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        timeout(PATIENCE, self.read()).await.expect("an event in time")
    }

    async fn read(&mut self) -> Option<(String, Value)> {
        loop {
            let message = self.message().await?;
            let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let Some((id, data)) = field("id:").zip(field("data:")) {
                return Some((id.to_owned(), serde_json::from_str(data).expect("a JSON body")));
            }
        }
    }

    /// The lines up to the next empty one.
    async fn message(&mut self) -> Option<String> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.len());
                self.text.drain(..self.text.len() - rest);
                return Some(message);
            }
            let chunk = self.body.next().await?;
            self.text.push_str(&String::from_utf8(chunk.expect("bytes")).expect("UTF-8"));
        }
    }

    async fn expect(&mut self, kind: &str) -> (String, Value) {
        let (id, body) = self.next().await.expect("the stream goes on");
        assert_eq!(body["kind"], kind, "{body}");
        assert_eq!(body["id"], id);
        (id, body)
    }
}

fn numbers(id: &str) -> Vec<i64> {
    id.split('-').map(|number| number.parse().expect("a number")).collect()
}

on_both_databases! {
    async fn why_was_i_refused_has_an_exact_answer(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let holder = http.admit(json!({"factor": 0.6})).await;
        assert_eq!(http.post("/register", &example(json!({"factor": 0.5, "triggered_by": "ana"}))).await.status, 409);
        let refused = http.get("/events?location=azure-k8s&kind=refused").await.json();
        let event = &refused["events"][0];
        assert_eq!((&event["by"], &event["location"], &event["run_id"]), (&json!("ana"), &json!("azure-k8s"), &json!(null)));
        let details = &event["details"];
        assert_eq!((&details["cause"], &details["running_factor"]), (&json!("no_room"), &json!(0.6)));
        assert_eq!((&details["requested_factor"], &details["capacity"]), (&json!(0.5), &json!(1)));
        assert_eq!(details["blocking"][0]["run_id"], holder["run_id"]);
        assert_eq!(refused["next"], json!(null));

        for (path, whose) in [("/registry", "the registry"), ("/locations/azure-k8s", "azure-k8s")] {
            let set = async |gate: Value| http.send(reqwest::Method::PUT, path, &gate).await;
            set(json!({"state": "draining", "reason": "node upgrade"})).await;
            let reply = http.post("/register", &example(json!({"factor": 0.1}))).await;
            assert_eq!(reply.json()["reason"], format!("Cannot register test: {whose} is draining: node upgrade."));
            let event = http.get("/events?kind=refused&limit=1").await.json()["events"][0].clone();
            let text = format!("test load by user1 was refused at azure-k8s: {whose} is draining: node upgrade");
            assert_eq!((&event["text"], &event["details"]["closed_by_registry"]), (&json!(text), &json!(path == "/registry")));
            set(json!({"state": "open"})).await;
        }
    }

    async fn the_story_of_a_test_is_told_from_its_beginning(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let holder = http.admit(json!({"factor": 0.6})).await;
        let waiter = http.post("/register", &example(json!({"factor": 0.6, "wait_seconds": 600}))).await.json();
        http.post("/complete", &json!({"run_id": holder["run_id"], "status": "failure"})).await;
        http.post("/heartbeat", &json!({"run_id": waiter["run_id"], "lease_token": waiter["lease_token"]})).await;
        http.post("/cancel", &json!({"run_id": waiter["run_id"], "reason": "wrong build", "by": "ana"})).await;
        let path = format!("/executions/{}/events", waiter["run_id"]);
        let story = http.get(&path).await.json();
        let kinds: Vec<&Value> = story["events"].as_array().expect("events").iter().map(|event| &event["kind"]).collect();
        assert_eq!(kinds, ["queued", "started", "stop_requested"]);
        assert_eq!(story["events"][2]["details"], json!({"reason": "wrong build"}));
        assert_eq!(story["events"][2]["by"], "ana");
        let page = http.get(&format!("{path}?limit=2")).await.json();
        let next = page["next"].as_str().expect("another page");
        let rest = http.get(&format!("{path}?limit=2&cursor={next}")).await.json();
        assert_eq!(rest, json!({"events": [story["events"][2]], "next": null}));
        assert_eq!(http.get("/executions/99/events").await.status, 404);
        for wrong in ["kind=started,nothing", "limit=0", "cursor=7", "from=yesterday", "nothing=1"] {
            assert_eq!(http.get(&format!("/events?{wrong}")).await.status, 422, "{wrong}");
        }
    }

    async fn a_stream_goes_on_where_it_stopped_on_any_server(database: &TestDatabase) {
        let (first, second) = TestServer::start_two(database);
        let (here, there) = (first.http(), second.http());
        let mut stream = Stream::open(&first, "/events?location=azure-k8s", None).await;
        here.post("/register", &example(json!({"factor": 1}))).await;
        stream.expect("refused").await;
        there.admit(json!({"location": "elsewhere"})).await;
        let run = there.admit(json!({"factor": 0.6})).await;
        let (known, started) = stream.expect("started").await;
        assert_eq!((&started["run_id"], &started["location"]), (&run["run_id"], &json!("azure-k8s")));
        drop(stream);
        here.post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await;
        here.admit(json!({"factor": 0.7})).await;
        let mut stream = Stream::open(&second, "/events?location=azure-k8s", Some(&known)).await;
        let (_, ended) = stream.expect("ended").await;
        assert_eq!((&ended["run_id"], &ended["details"]["status"]), (&run["run_id"], &json!("success")));
        stream.expect("started").await;
    }

    async fn a_stream_that_has_told_nothing_yet_goes_on_without_a_gap(database: &TestDatabase) {
        let mut server = TestServer::start(&database.url);
        server.http().admit(json!({"factor": 0.1})).await;
        let events = server.http().get("/events").await.json();
        let began = numbers(events["events"][0]["id"].as_str().expect("an id"));
        // Transactions of other databases of the same server may hold up where a stream begins.
        let give_up = Instant::now() + PATIENCE;
        let stream = loop {
            let stream = Stream::open(&server, "/events", None).await;
            if numbers(&stream.beginning) >= began {
                break stream;
            }
            assert!(Instant::now() < give_up, "it begins at {}", stream.beginning);
        };
        server.kill();
        let another = TestServer::start(&database.url);
        let run = another.http().admit(json!({"factor": 0.2})).await;
        let mut stream = Stream::open(&another, "/events", Some(&stream.beginning)).await;
        assert_eq!(stream.expect("started").await.1["run_id"], run["run_id"], "what began before is not told");
    }

    async fn a_stream_of_one_test_tells_its_whole_story_and_ends_with_the_server(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let run = http.admit(json!({"factor": 0.6})).await;
        let mut stream = Stream::open(&server, &format!("/executions/{}/events", run["run_id"]), None).await;
        stream.expect("started").await;
        http.post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await;
        stream.expect("ended").await;
        server.signal("TERM");
        assert_eq!(stream.next().await, None);
    }
}
