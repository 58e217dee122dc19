//! Going back to a backup.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::backup::{copy, names};
use super::evidence::Saved;
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::Http;
use crate::support::server::{TestServer, perfreg};

/// Starts a test with a lease at each of these locations; their run_ids and fences.
async fn start(http: &Http, locations: &[&str]) -> Vec<(i64, i64)> {
    let mut started = Vec::new();
    for location in locations {
        let run = http.admit(json!({"factor": 0.01, "location": location, "lease_seconds": 10})).await;
        started.push((run["run_id"].as_i64().expect("a run_id"), run["fence"].as_i64().expect("a fence")));
    }
    started
}

fn newest_event(database: &TestDatabase) -> i64 {
    let newest = "SELECT max(number) FROM perfreg_events";
    database.open_file().query_row(newest, [], |row| row.get(0)).expect("an event")
}

fn replaced(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    entries.filter(|name| name.to_str().is_some_and(|name| name.contains(".replaced-") && name.ends_with('Z'))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_given_out_after_a_backup_is_given_out_again_after_its_restoration() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let folder = TempDir::new().expect("a folder");
    let backup = folder.path().join("backup.db");
    let mut server = TestServer::start(&database.url);
    let kept = start(&server.http(), &["known", "known"]).await;
    assert_eq!(copy("backup", &backup, &database.url, &[]).0, Some(0));
    let mut given = kept.clone();
    let mut events = 0;
    for round in 1..=3 {
        given.extend(start(&server.http(), &["known", "new", "known", "new"]).await);
        let newest = newest_event(&database);
        assert!(newest > events, "the numbers of events go on");
        events = newest;
        server.kill();
        // The last time nothing is left of what was there.
        if round == 3 {
            fs::remove_file(database.path()).expect("it is there");
        }
        let (code, printed, error) = copy("restore", &backup, &database.url, &[]);
        assert_eq!(code, Some(0), "{error}");
        assert!(printed.contains(" holds 2 runs in ") && printed.contains("2 of them running"), "{printed}");
        assert_eq!(printed.contains("What was there is kept as "), round < 3, "{printed}");
        assert_eq!(replaced(database.path().parent().expect("a folder")), round.min(2));
        server = TestServer::start(&database.url);
        let run = server.http().get("/executions/1").await.json();
        assert_eq!((&run["status"], &run["suspect"]), (&json!("running"), &json!(false)), "leases count from now");
    }
    given.extend(start(&server.http(), &["known", "new", "newest"]).await);
    assert!(newest_event(&database) > events);
    let run_ids: HashSet<i64> = given.iter().map(|(run_id, _)| *run_id).collect();
    assert_eq!(run_ids.len(), given.len(), "no run_id twice: {given:?}");
    assert!(
        given.is_sorted_by_key(|(run_id, _)| *run_id)
            && given.iter().all(|(run_id, fence)| run_id.max(fence) < &(1 << 53))
    );
    // Each location's fences only grow; of those after the third start, all are above all before a restoration.
    for (index, (_, fence)) in given.iter().enumerate().skip(6) {
        let before = given[..2 + (index - 2) / 4 * 4].iter().map(|(_, fence)| fence).max().expect("some");
        assert!(fence > before, "{given:?}");
    }
    let saved = Saved::read(&database).await;
    assert_eq!(saved.executions.len(), 5);
    for location in &saved.locations {
        let here = saved.executions.iter().filter(|run| run.details.location == location.name);
        assert_eq!(location.used, here.map(perfreg::domain::execution::Execution::factor).sum());
    }
    let audit = server.http().get("/readyz").await.json();
    assert_ne!(audit["audit"], "differs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_a_restored_run_counts_from_the_restoration() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let folder = TempDir::new().expect("a folder");
    let backup = folder.path().join("backup.db");
    let server = TestServer::start(&database.url);
    let run = server.http().admit(json!({"lease_seconds": 10})).await;
    assert_eq!(copy("backup", &backup, &database.url, &[]).0, Some(0));
    drop(server);
    // The backup is a year old.
    let aged = rusqlite::Connection::open(&backup).expect("a file");
    let year = "UPDATE test_executions SET start_time = '2025' || substr(start_time, 5), lease_expires_at = '2025' || substr(lease_expires_at, 5);
                UPDATE perfreg_locations SET next_due = '2025' || substr(next_due, 5)";
    aged.execute_batch(year).expect("valid SQL");
    drop(aged);
    assert_eq!(copy("restore", &backup, &database.url, &[]).0, Some(0));
    let server = TestServer::start(&database.url);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let beat = server.http().post("/heartbeat", &json!({"run_id": 1, "lease_token": run["lease_token"]})).await;
    assert_eq!((beat.status.as_u16(), beat.json()["status"].clone()), (200, json!("running")), "{}", beat.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restoration_that_cannot_be_says_why_and_changes_nothing() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let server = TestServer::start(&database.url);
    server.http().admit(json!({})).await;
    assert_eq!(copy("backup", &path("good"), &database.url, &[]).0, Some(0));
    let (code, _, error) = copy("restore", &path("good"), &database.url, &[]);
    assert_eq!(code, Some(69), "{error}");
    assert!(error.contains(&format!("process {} has the database file", server.pid())), "{error}");
    drop(server);
    // Whoever opens and closes it brings what stands in its -wal into the file.
    newest_event(&database);
    let before = fs::read(database.path()).expect("a file");
    let whole = fs::read(path("good")).expect("a file");
    fs::write(path("truncated"), &whole[..whole.len() / 2]).expect("a file");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2..whole.len() / 2 + 4_096].fill(0x55);
    fs::write(path("flipped"), flipped).expect("a file");
    fs::write(path("text"), "not a database, ".repeat(100)).expect("a file");
    fs::write(path("newer"), &whole).expect("a file");
    let later =
        "INSERT INTO perfreg_migrations (number, name, applied_at) VALUES (999, '0999_later', '2030-01-01T00:00:00Z')";
    rusqlite::Connection::open(path("newer")).and_then(|file| file.execute_batch(later)).expect("valid SQL");
    let foreign = "CREATE TABLE other (name TEXT)";
    rusqlite::Connection::open(path("foreign")).and_then(|file| file.execute_batch(foreign)).expect("valid SQL");
    for (name, url, expected_code, words) in [
        ("missing", &database.url, 1, "there is no file"),
        ("text", &database.url, 1, "is damaged, or no database"),
        ("truncated", &database.url, 1, "is damaged, or no database"),
        ("flipped", &database.url, 1, "is damaged, or no database"),
        ("foreign", &database.url, 1, "is not a database of perfreg"),
        ("newer", &database.url, 1, "newer version"),
        ("good", &"postgresql://me:s3cret@db/registry".to_owned(), 2, "pg_restore"),
        ("good", &format!("sqlite:{}", path("good").display()), 1, "is the database itself; name its backup"),
    ] {
        let (code, printed, error) = copy("restore", &path(name), url, &[]);
        assert_eq!(code, Some(expected_code), "{name}: {error}");
        assert!(error.contains(words) && !error.contains("s3cret") && printed.is_empty(), "{name}: {error}");
    }
    assert_eq!(fs::read(database.path()).expect("a file"), before);
    assert_eq!(replaced(database.path().parent().expect("a folder")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restoration_replaces_nothing_but_a_database_of_perfreg() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let server = TestServer::start(&database.url);
    server.http().admit(json!({})).await;
    assert_eq!(copy("backup", &path("good"), &database.url, &[]).0, Some(0));
    fs::write(path("byte"), "x").expect("a file");
    let foreign = "CREATE TABLE other (name TEXT)";
    rusqlite::Connection::open(path("foreign")).and_then(|file| file.execute_batch(foreign)).expect("valid SQL");
    let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo starts");
    assert!(made.success());
    let running = database.path().parent().expect("a folder");
    let url = |path: &Path| format!("sqlite:{}", path.display());
    let (before, before_running) = (names(folder.path()), names(running));
    for (from, to, words) in [
        ("good", running, "is no file; name the database file"),
        ("good", folder.path(), "is no file; name the database file"),
        ("good", &path("pipe"), "is no file; name the database file"),
        ("good", &path("byte"), "byte is no perfreg database; name another file or remove it"),
        ("good", &path("foreign"), "foreign is no perfreg database; name another file or remove it"),
        ("pipe", &path("new.db"), "pipe is no file; name the one to copy"),
        ("byte", &path("new.db"), "is not a database of perfreg"),
        ("", &path("new.db"), "is no file; name the one to copy"),
    ] {
        let (code, printed, error) = copy("restore", &path(from), &url(to), &[]);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(words) && printed.is_empty(), "{words:?} in {error:?}");
        assert_eq!((&names(folder.path()), &names(running)), (&before, &before_running), "nothing was made or moved");
    }
    server.http().admit(json!({"factor": 0.01})).await;
    drop(server);
    assert_eq!(names(running).iter().filter(|name| name.contains(".lock")).count(), 1);
    assert!(!running.with_extension("lock").exists(), "no lock beside the folder");
}

/// A database with three executions that was not closed, so that the newest changes stand beside its file, and a backup
/// from when there was one.
async fn outgrown() -> (TestDatabase, TempDir, PathBuf) {
    let (database, folder) = (TestDatabase::new(Engine::Sqlite).await, TempDir::new().expect("a folder"));
    let backup = folder.path().join("backup.db");
    let mut server = TestServer::start(&database.url);
    start(&server.http(), &["here"]).await;
    assert_eq!(copy("backup", &backup, &database.url, &[]).0, Some(0));
    start(&server.http(), &["here", "there"]).await;
    server.kill();
    (database, folder, backup)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_not_closed_is_kept_whole_in_one_file_when_it_is_replaced() {
    let (database, _folder, backup) = outgrown().await;
    let kept = database.path().parent().expect("a folder");
    assert_eq!(copy("restore", &backup, &database.url, &[]).0, Some(0));
    let found = names(kept);
    assert_eq!(found.len(), 3, "the database, its lock and what was there: {found:?}");
    let aside = found.iter().find(|name| name.contains(".replaced-")).expect("it is kept");
    assert_eq!(Saved::read(&TestDatabase::at(&kept.join(aside))).await.executions.len(), 3);
    assert_eq!(Saved::read(&database).await.executions.len(), 1);
}

/// How many executions a sound database file holds.
fn count(path: &Path) -> i64 {
    let file = rusqlite::Connection::open(path).expect("a database file");
    let integrity: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a database");
    assert_eq!(integrity, "ok");
    file.query_row("SELECT count(*) FROM test_executions", [], |row| row.get(0)).expect("it is ours")
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_a_restoration_is_killed_a_whole_database_is_under_the_name() {
    let (database, _folder, backup) = outgrown().await;
    let mut seen = HashSet::new();
    let mut whole = None;
    // Until it was killed before and behind what it is about, and so at moments all over it.
    for moment in 0.. {
        if moment > 16 && seen.len() == 2 {
            break;
        }
        assert!(moment < 100, "it was never killed in time, or never late enough");
        let place = TempDir::new().expect("a folder");
        let path = place.path().join("perfreg.db");
        for suffix in ["", "-wal"] {
            let beside = |path: &Path| format!("{}{suffix}", path.display());
            fs::copy(beside(database.path()), beside(&path)).expect("it was not closed");
        }
        let url = format!("sqlite:{}", path.display());
        if let Some(whole) = whole {
            let mut restoration = perfreg();
            restoration.arg("restore").arg(&backup).args(["--database", &url]);
            let mut restoration = restoration.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
            tokio::time::sleep(whole * moment / 12).await;
            restoration.kill().expect("it is ours");
            restoration.wait().expect("it ends");
            let left = count(&path);
            assert!([1, 3].contains(&left), "killed after {moment} twelfths it leaves {left}");
            seen.insert(left);
        }
        let begun = Instant::now();
        let (code, _, error) = copy("restore", &backup, &url, &[]);
        assert_eq!(code, Some(0), "{error}");
        assert_eq!(count(&path), 1);
        whole.get_or_insert(begun.elapsed());
    }
}
