//! A SQLite file has one server.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::database::{Engine, TestDatabase};
use crate::support::server::{PATIENCE, TestServer, perfreg, wait_for_exit};

#[tokio::test(flavor = "multi_thread")]
async fn the_second_server_on_a_file_says_no_and_the_first_goes_on() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let first = TestServer::start(&database.url);
    let output = perfreg()
        .args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url])
        .output()
        .expect("the binary starts");
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{error}");
    let sentence = error.lines().last().expect("a sentence");
    assert!(sentence.starts_with(&format!("perfreg: another perfreg, process {} has", first.pid())), "{error}");
    assert!(sentence.ends_with("stop it, or name another file with --database"), "{error}");
    assert!(output.stdout.is_empty(), "it did not announce itself");
    first.http().admit(json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_server_on_a_file_waits_a_moment_for_the_one_before_to_end() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let lock = format!("{}.lock", database.path().display());
    for signal in ["TERM", "KILL"] {
        let mut first = TestServer::start(&database.url);
        let mut second = perfreg()
            .args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the binary starts");
        tokio::time::sleep(Duration::from_millis(500)).await;
        first.signal(signal);
        first.wait();
        let give_up = Instant::now() + PATIENCE;
        while std::fs::read_to_string(&lock).expect("it stays").trim() != second.id().to_string() {
            assert!(second.try_wait().expect("a child").is_none(), "it gave up after {signal}");
            assert!(Instant::now() < give_up, "the next server does not take over after {signal}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        second.kill().expect("it runs");
        wait_for_exit(&mut second);
    }
}
