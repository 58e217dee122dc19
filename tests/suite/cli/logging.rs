//! What `perfreg serve` logs, read as what collects logs reads it.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::serving::whole_log;
use crate::support::http::example;
use crate::support::server::{TestServer, perfreg};

fn objects(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
}

fn serve_as_json(folder: &TempDir, more: &[&str]) -> Command {
    let mut command = perfreg();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]).args(more).current_dir(folder.path());
    command
}

/// The parts of the first line with this message, and more than that.
fn expect_line(lines: &[Value], message: &str, parts: &Value) {
    let parts = parts.as_object().expect("an object");
    let is_it =
        |line: &&Value| line["message"] == message && parts.iter().all(|(name, value)| line.get(name) == Some(value));
    let alike: Vec<&Value> = lines.iter().filter(|line| line["message"] == message).collect();
    assert_eq!(lines.iter().filter(is_it).count(), 1, "{message} {parts:?} in {alike:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_stop_and_refusal_says_what_where_who_and_why() {
    let folder = TempDir::new().expect("a folder");
    let server = TestServer::start_with(&mut serve_as_json(&folder, &[]));
    let http = server.http();
    let register = async |changes: Value| http.post("/register", &example(changes)).await.status.as_u16();
    let put = async |path: &str, body: Value| assert_eq!(http.send(Method::PUT, path, &body).await.status, 200);
    for leased in [false, false, true] {
        let lease = if leased { json!(60) } else { json!(null) };
        assert_eq!(register(json!({"factor": 0.1, "lease_seconds": lease})).await, 200);
    }
    let end = json!({"run_id": 1, "status": "success"});
    for _ in 0..2 {
        assert_eq!(http.post("/complete", &end).await.status, 200);
    }
    http.post("/cancel", &json!({"run_id": 2, "reason": "wrong build", "by": "ana"})).await;
    put("/locations/azure-k8s", json!({"capacity": 2, "state": "draining", "reason": "new nodes", "by": "ben"})).await;
    assert_eq!(register(json!({"factor": 0.1})).await, 409);
    put("/registry", json!({"state": "stopped", "reason": "fire", "by": "ops", "until": "2099-01-01T00:00:00Z"})).await;
    assert_eq!(register(json!({"factor": 0.1, "wait_seconds": 60})).await, 202);
    http.send(Method::DELETE, "/locations/nothing", &json!({})).await;

    let lines = objects(&whole_log(server));
    let whose = |run_id: i64, more: Value| {
        let mut parts = json!({"run_id": run_id, "test": "load", "location": "azure-k8s", "by": "user1"});
        parts.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        parts
    };
    expect_line(&lines, "ended", &whose(1, json!({"status": "success"})));
    let cancelled = json!({"status": "cancelled", "asked_by": "ana", "reason": "wrong build"});
    expect_line(&lines, "ended", &whose(2, cancelled));
    expect_line(&lines, "asked to stop", &whose(3, json!({"asked_by": "ops", "reason": "fire"})));
    let set =
        json!({"location": "azure-k8s", "capacity": "2", "state": "draining", "reason": "new nodes", "by": "ben"});
    expect_line(&lines, "location set", &set);
    let until = json!({"state": "stopped", "reason": "fire", "by": "ops", "until": "2099-01-01T00:00:00Z"});
    expect_line(&lines, "registry set", &until);
    let own = json!({"cause": "gate", "state": "draining", "reason": "new nodes", "closed_by_registry": false});
    expect_line(&lines, "refused", &own);
    let registrys = json!({"cause": "gate", "state": "stopped", "reason": "fire", "closed_by_registry": true});
    expect_line(&lines, "queued", &whose(4, registrys));
}

#[test]
fn the_last_words_of_a_server_that_cannot_start_are_an_object_too() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("junk.db"), "no database at all\n".repeat(500)).expect("a file");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let _other = TestServer::start_with(&mut serve_as_json(&folder, &["--database", "sqlite:used.db"]));
    for (flags, words, code) in [
        (["--listen", &address], "cannot listen on", 1),
        (["--database", "sqlite:junk.db"], "junk.db", 1),
        (["--database", "sqlite:used.db"], "used.db", 1),
        (["--database", "sqlite:no/such/folder.db"], "no/such", 1),
        (["--database", "mysql://host"], "--database is wrong", 2),
        (["--public-url", "nothing"], "--public-url is wrong", 2),
    ] {
        for filter in ["info", "off"] {
            let mut command = perfreg();
            command.args(["serve", "--log-format", "json", "--log", filter]).args(flags).current_dir(folder.path());
            if flags[0] != "--listen" {
                command.args(["--listen", "127.0.0.1:0"]);
            }
            let output = command.output().expect("the binary starts");
            let lines = objects(&String::from_utf8(output.stderr).expect("UTF-8"));
            let last = lines.last().unwrap_or_else(|| panic!("no words about {flags:?}"));
            assert!(last["message"].as_str().is_some_and(|text| text.contains(words)), "{words} in {last}");
            assert_eq!((last["level"].as_str(), output.status.code()), (Some("ERROR"), Some(code)), "{last}");
        }
    }
}
