//! The steps of `docs/operate/migrate.md`, as they stand there, on a database that the original has written.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::file;
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::example;
use crate::support::server::{TestServer, perfreg};

/// What a dump of the original's database brings back. A psql from before 2025 does not know `\restrict`.
async fn originals_database() -> TestDatabase {
    let database = TestDatabase::new(Engine::Postgres).await;
    let psql = "gzip -dc \"$1\" | sed '/^\\\\\\(un\\)\\{0,1\\}restrict /d' | \"$2\" -q -v ON_ERROR_STOP=1 -d \"$3\"";
    let bin = std::env::var("PERFREG_TEST_POSTGRES_BIN").expect("the folder of PostgreSQL's programs");
    let mut restore = Command::new("bash");
    restore.args(["-o", "pipefail", "-c", psql, "restore"]).arg(file("original-db.sql.gz"));
    restore.arg(Path::new(&bin).join("psql")).arg(&database.direct_url).stdout(Stdio::null());
    assert!(restore.status().expect("bash is there").success());
    database
}

/// The commands in the steps of the page.
fn commands() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate/migrate.md");
    let page = std::fs::read_to_string(page).expect("a text");
    let (_, steps) = page.split_once("## Steps").expect("a section of steps");
    let steps = steps.split("\n## ").next().unwrap_or_default();
    let blocks = steps.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    blocks.map(|block| block.trim().to_owned()).collect()
}

/// The binary under the name by which people call it, on a PATH of its own.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    symlink(perfreg().get_program(), folder.path().join("perfreg")).expect("a link");
    folder
}

/// Runs a line as a person in a shell would.
fn shell(folder: &TempDir, server: &TestServer, line: &str) -> (i32, String) {
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a PATH"));
    let mut command = Command::new("bash");
    command.args(["-c", line]).env_clear().env("PATH", path).env("PERFREG_URL", &server.url);
    let output = command.stdin(Stdio::null()).output().expect("bash is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("an exit code"), said)
}

fn serve(command: &str, database: &TestDatabase) -> TestServer {
    let url = |word: &str| word.starts_with("postgresql://");
    let words: Vec<&str> = command.split(' ').map(|word| if url(word) { &database.url } else { word }).collect();
    assert_eq!(words[0], "perfreg");
    TestServer::start_with(perfreg().args(&words[1..]).args(["--listen", "127.0.0.1:0"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_originals_database_admits_after_the_three_commands_of_the_page() {
    let (database, folder, commands) = (originals_database().await, folder(), commands());
    let [start, end_the_dead, run] = commands.as_slice() else { panic!("three commands, not {commands:#?}") };

    let server = serve(start, &database);
    let (code, said) = shell(&folder, &server, run);
    assert_eq!(code, 75, "what the original left running fills the location: {said}");
    let (code, said) = shell(&folder, &server, end_the_dead);
    assert!(code == 0 && said.contains("runs without a lease ended"), "{said}");
    let (code, said) = shell(&folder, &server, run);
    assert_eq!(code, 0, "{said}");

    let events = server.http().get("/events?limit=1000").await.json();
    let ended: Vec<&serde_json::Value> =
        events["events"].as_array().expect("events").iter().filter(|event| event["kind"] == "ended").collect();
    assert!(ended.len() > 50, "{} ended", ended.len());
    let ran = |event: &&serde_json::Value| event["details"]["ran_seconds"].is_number();
    assert!(ended.iter().all(ran), "what was adopted ran, it did not wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_original_left_running_is_told_until_it_has_ended() {
    let (database, folder) = (originals_database().await, folder());
    let first = serve("perfreg serve --database postgresql://", &database);
    let told = "187 adopted runs still run, the oldest since 2026-11-22T13:14:54Z. azure-vm uses 44.35 of 1, on-premise-vm \
                uses 60.1 of 1: nothing starts there until such runs end.";
    assert!(first.log().contains(told), "{}", first.log());
    let (_, locations) = shell(&folder, &first, "perfreg locations");
    assert!(locations.contains(told) && locations.contains("\n\n  perfreg cancel --location azure-vm"), "{locations}");
    let (_, status) = shell(&folder, &first, "perfreg status");
    assert!(status.contains("187 of them were adopted from the original's database"), "{status}");
    drop(first);

    let second = serve("perfreg serve --database postgresql://", &database);
    let advice = second.log();
    let (_, advice) = advice.split_once("to end them: ").expect("what to do is told at every start");
    let look = advice.lines().next().expect("a command");
    assert!(look.ends_with(" --dry-run"), "{look}");
    let (code, said) = shell(&folder, &second, look);
    assert!(code == 0 && said.contains("runs without a lease would be ended:"), "{said}");
    let running = || async { second.http().get("/status").await.json()["running"].as_array().map_or(0, Vec::len) };
    assert_eq!(running().await, 187, "nothing was changed");
    for location in ["azure-vm", "on-premise-vm"] {
        let cancel = format!("perfreg cancel --location {location} --started-before 2026-11-23");
        assert_eq!(shell(&folder, &second, &cancel).0, 0);
    }
    assert_eq!(running().await, 0);
    let (_, locations) = shell(&folder, &second, "perfreg locations");
    assert!(!locations.contains("adopted"), "{locations}");
    second.http().admit(serde_json::json!({"location": "on-premise-vm", "factor": 0.9})).await;
    let refused = second.http().post("/register", &example(serde_json::json!({"location": "on-premise-vm"}))).await;
    assert_eq!(refused.status, 409, "what was ended gave back exactly what it held");
    drop(second);
    assert!(!serve("perfreg serve --database postgresql://", &database).log().contains("adopted run"));
}
