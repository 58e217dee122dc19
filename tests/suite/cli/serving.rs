//! What `perfreg serve` says of itself.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::run;
use crate::support::server::{PATIENCE, TestServer, perfreg};

/// Starts a server in the folder, on a file that it names by itself, and waits until it serves.
fn serve_in(folder: &Path, more: &[&str]) -> TestServer {
    let mut command = perfreg();
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(more);
    TestServer::start_with(command.current_dir(folder))
}

/// Stops the server, and waits until all that it has logged was read.
pub fn whole_log(mut server: TestServer) -> String {
    server.signal("TERM");
    server.wait();
    let give_up = Instant::now() + PATIENCE;
    while !server.log().contains("stopping;") {
        assert!(Instant::now() < give_up, "{}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
    server.log()
}

fn lines_with<'log>(log: &'log str, words: &str) -> Vec<&'log str> {
    log.lines().filter(|line| line.contains(words)).collect()
}

#[test]
fn the_first_start_is_told_on_one_line_and_later_ones_say_nothing_of_it() {
    let folder = TempDir::new().expect("a folder");
    let path = fs::canonicalize(folder.path()).expect("it is there").join("perfreg.db");
    let first = whole_log(serve_in(folder.path(), &[]));
    assert_eq!(lines_with(&first, &format!("created {}", path.display())).len(), 1, "{first}");
    assert!(lines_with(&first, "migrated").is_empty(), "{first}");
    let start = lines_with(&first, "perfreg starts");
    assert_eq!(start.len(), 1, "{first}");
    for words in [
        concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""),
        "address=127.0.0.1:",
        &format!("database=sqlite:{}", path.display()),
        "durability=\"local\"",
    ] {
        assert!(start[0].contains(words), "{words} in {}", start[0]);
    }
    let second = whole_log(serve_in(folder.path(), &[]));
    assert!(lines_with(&second, "created").is_empty() && lines_with(&second, "upgraded").is_empty(), "{second}");
    let database = rusqlite::Connection::open(&path).expect("a database");
    database
        .execute_batch("DELETE FROM perfreg_migrations WHERE number = 15; DROP INDEX perfreg_executions_long")
        .expect("as the version before left it");
    drop(database);
    let third = whole_log(serve_in(folder.path(), &[]));
    let upgraded = lines_with(&third, &format!("upgraded {}", path.display()));
    assert!(upgraded.len() == 1 && upgraded[0].contains("steps=1"), "{third}");
    let other = TempDir::new().expect("a folder");
    let debug = whole_log(serve_in(other.path(), &["--log", "perfreg=debug,tower=info"]));
    assert!(lines_with(&debug, "0001_registry").len() == 1 && !debug.contains("\u{1b}["), "{debug}");
}

#[tokio::test]
async fn a_server_that_was_stopped_leaves_a_database_of_one_file() {
    let folder = TempDir::new().expect("a folder");
    for run_id in 1..=4 {
        let mut server = serve_in(folder.path(), &[]);
        server.http().admit(json!({"location": "here", "factor": 0.1})).await;
        assert_eq!(server.http().get(&format!("/executions/{run_id}")).await.status, 200);
        server.signal("TERM");
        server.wait();
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("a file").file_name()).collect();
        names.sort();
        assert_eq!(names, ["perfreg.db", "perfreg.db.lock"], "what was in perfreg.db-wal is in perfreg.db");
    }
}

#[test]
fn a_log_for_collectors_has_one_object_a_line() {
    let folder = TempDir::new().expect("a folder");
    let mut command = perfreg();
    command.args(["serve", "--listen", "0.0.0.0:0"]).env("PERFREG_LOG_FORMAT", "json").current_dir(folder.path());
    let log = whole_log(TestServer::start_with(&mut command));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let message = |text: &str| lines.iter().find(|line| line["message"].as_str().is_some_and(|one| one.contains(text)));
    assert_eq!(message("perfreg starts").expect("the start")["version"], env!("CARGO_PKG_VERSION"));
    let warning = message("all who reach it may register and cancel tests").expect("it listens on every interface");
    assert_eq!(warning["level"], "WARN");
}

#[test]
fn a_word_that_is_no_level_is_refused_also_in_the_variable() {
    let words = "\"verbose\" is no level; use error, warn, info, debug, trace or off, alone or as in perfreg=debug";
    let (code, _, error) = run(&["serve", "--log", "verbose"]);
    assert!(code == 2 && error.contains(words), "exit code {code}: {error}");
    let output = perfreg().arg("serve").env("PERFREG_LOG", "perfreg=verbose").output().expect("the binary starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && error.contains(words), "{error}");
    assert_eq!(run(&["serve", "--log-format", "xml"]).0, 2);
}

#[test]
fn a_file_that_is_no_database_is_left_alone_and_named_by_its_whole_path() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("junk.db"), "no database at all, but a text of some length\n".repeat(200))
        .expect("a file");
    let mut command = perfreg();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", "sqlite:junk.db"]).current_dir(folder.path());
    let output = command.output().expect("the binary starts");
    let error = String::from_utf8_lossy(&output.stderr);
    let path = fs::canonicalize(folder.path()).expect("it is there").join("junk.db");
    assert!(!output.status.success() && error.contains(&path.display().to_string()), "{error}");
    let names: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("a name").file_name()).collect();
    assert_eq!(names, ["junk.db"]);
}
