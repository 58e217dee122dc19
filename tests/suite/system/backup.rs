//! Copying a database while it is used.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::json;

use super::crash::client;
use super::evidence::{Admitted, Saved};
use crate::support::database::{Engine, TestDatabase, execute};
use crate::support::server::{PATIENCE, TestServer, perfreg};

const CLIENTS: usize = 8;

/// Its exit code, and what it printed and said.
pub fn copy(command: &str, file: &Path, database: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let output = perfreg().arg(command).arg(file).args(["--database", database]).args(more).output();
    let output = output.expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

pub fn names(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    let mut names: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| name(entry.expect("an entry"))).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_everything_acknowledged_before_and_adds_up() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let server = TestServer::start(&database.url);
    // So much that the copy takes several steps, between which others write.
    let events = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                  INSERT INTO perfreg_events (at, kind, location, facts)
                  SELECT '2026-01-01T00:00:00.000000Z', 'refused', 'there', '{\"x\": \"' || hex(zeroblob(500)) || '\"}' FROM n";
    execute(&database, events).await;
    let (runs, stop) = (Arc::new(Mutex::new(Vec::<Admitted>::new())), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(client(server.http(), Arc::clone(&stop), Arc::clone(&runs)))).collect();
    let folder = tempfile::TempDir::new().expect("a folder");
    let seen = || runs.lock().expect("no panic").clone();
    let mut copies = Vec::new();
    for number in 0..3 {
        let give_up = Instant::now() + PATIENCE;
        while seen().len() < 50 * (number + 1) {
            assert!(Instant::now() < give_up, "too few answers");
            tokio::task::yield_now().await;
        }
        let (before, to) = (seen(), folder.path().join(format!("{number}.db")));
        let (code, printed, error) = tokio::task::block_in_place(|| copy("backup", &to, &database.url, &[]));
        assert_eq!(code, Some(0), "{error}");
        copies.push((before, seen().len(), to, printed));
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("nobody was disturbed");
    }
    assert_eq!(names(folder.path()), ["0.db", "1.db", "2.db"], "each is a single file");
    for (before, after, to, printed) in copies {
        let copy = TestDatabase::at(&to);
        let saved = Saved::read(&copy).await;
        saved.assert_holds(&before);
        saved.assert_sums();
        assert!(saved.executions.len() <= after + CLIENTS, "nothing of later");
        let said = format!("{} holds {} runs in ", to.display(), saved.executions.len());
        assert!(printed.starts_with(&said), "{printed}");
        let integrity = copy.open_file().query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        assert_eq!(integrity.expect("an answer"), "ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_says_why_it_is_not_made_and_leaves_nothing_behind() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let server = TestServer::start(&database.url);
    server.http().admit(json!({})).await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let to = folder.path().join("copy.db");
    let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    fs::write(folder.path().join("text"), "not a database, ".repeat(100)).expect("a file");
    let foreign = rusqlite::Connection::open(folder.path().join("foreign")).expect("a file");
    foreign.execute_batch("CREATE TABLE other (name TEXT)").expect("valid SQL");
    let before = names(folder.path());
    for (to, database, expected_code, words) in [
        (&to, "postgresql://me:s3cret@db/registry", 2, "copy a PostgreSQL database with pg_dump"),
        (&to, "mysql://db", 2, "--database is wrong"),
        (&to, &url("missing"), 1, "there is no file"),
        (&to, &url(""), 1, "is no file; name the one to copy"),
        (&to, &url("text"), 1, "is damaged, or no database"),
        (&to, &url("foreign"), 1, "is not a database of perfreg; name the file that its server has"),
        (&folder.path().join("no/folder"), &database.url, 1, "/no: it does not exist; create it, or name another"),
        (&folder.path().to_owned(), &database.url, 1, "is no file; name the file to write"),
        (&database.path().to_owned(), &database.url, 1, "is the database itself"),
        (&folder.path().join("text"), &database.url, 1, "is there already; name another file, or give --force"),
    ] {
        let (code, _, error) = copy("backup", to, database, &[]);
        assert_eq!(code, Some(expected_code), "{error}");
        assert!(error.contains(words) && !error.contains("s3cret"), "{words:?} in {error:?}");
        assert!(!error.contains(".partial"), "{error}");
    }
    assert_eq!(names(folder.path()), before);
    let (code, printed, error) = copy("backup", &folder.path().join("text"), &database.url, &["--force"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(printed.contains("text holds 1 run in ") && printed.contains("; the newest is run 1 of 20"), "{printed}");
    assert_eq!(server.http().get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_does_not_replace_a_database_in_use_or_one_that_was_not_closed() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let mut server = TestServer::start(&database.url);
    server.http().admit(json!({})).await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let to = folder.path().join("copy.db");
    assert_eq!(copy("backup", &to, &database.url, &[]).0, Some(0));
    let swapped = format!("sqlite:{}", to.display());
    let refuse = || {
        let (code, _, error) = copy("backup", database.path(), &swapped, &["--force"]);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains("is a database in use, or one that was not closed; name another file"), "{error}");
    };
    server.http().admit(json!({"factor": 0.01})).await;
    refuse();
    assert_eq!(server.http().get("/executions/2").await.status, 200);
    server.kill();
    refuse();
    assert_eq!(Saved::read(&database).await.executions.len(), 2, "nothing changed");
    // What is left of another file under this name is not taken for a part of the copy.
    for beside in ["other.db-wal", "other.db-journal"] {
        fs::write(folder.path().join(beside), "left").expect("a file");
        let (code, _, error) = copy("backup", &folder.path().join("other.db"), &database.url, &[]);
        assert_eq!(code, Some(1), "{error}");
        fs::remove_file(folder.path().join(beside)).expect("it is there");
    }
    assert_eq!(copy("backup", &to, &database.url, &["--force"]).0, Some(0));
    assert_eq!(names(folder.path()), ["copy.db"], "no lock beside it");
}
