//! `perfreg register`: 0 means that the test may start, and nothing else.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::{Value, json};

use super::{REGISTER, call, register, serve};
use crate::on_both_databases;
use crate::support::server::{PATIENCE, TestServer, collect, perfreg, wait_for_exit};

const HERE: [&str; 4] = ["--location", "here", "--factor", "0.9"];

/// A `perfreg register` that waits.
fn waiter(server: &TestServer, more: &[&str]) -> Child {
    let mut command = perfreg();
    command.args(REGISTER).args(HERE).args(more).args(["--server", &server.url]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

async fn until_so_many_wait(server: &TestServer, count: i64) {
    let give_up = Instant::now() + PATIENCE;
    while server.http().get("/locations/here").await.json()["waiting"] != count {
        assert!(Instant::now() < give_up, "never do {count} wait");
        thread::sleep(Duration::from_millis(20));
    }
}

async fn complete(server: &TestServer, run_id: i64) {
    let done = server.http().post("/complete", &json!({"run_id": run_id, "status": "success"})).await;
    assert_eq!(done.status, 200, "{}", done.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn register_blocks_until_the_test_may_start_and_leaves_it_without_a_lease() {
    let (server, _database) = serve().await;
    assert_eq!(register(&server, &HERE).0, 0);
    let mut waiting = waiter(&server, &["--wait", "10m", "--json"]);
    until_so_many_wait(&server, 1).await;
    assert_eq!(waiting.try_wait().expect("it lives"), None);
    let out = collect(waiting.stdout.take().expect("piped"));
    complete(&server, 1).await;
    assert_eq!(wait_for_exit(&mut waiting).code(), Some(0));
    let answer: Value = serde_json::from_str(&out.lock().expect("no panic")).expect("JSON");
    assert_eq!((&answer["run_id"], &answer["status"]), (&json!(2), &json!("running")));
    assert!(answer["lease_token"].is_null() && answer["lease_seconds"].is_null(), "{answer}");
    complete(&server, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_waits_in_vain_says_so_by_its_exit_code() {
    let (server, _database) = serve().await;
    register(&server, &HERE);
    assert_eq!(register(&server, &HERE).0, 75);
    assert_eq!(register(&server, &[&HERE[..], &["--wait", "0s"]].concat()).0, 75);
    let (code, printed, error) = register(&server, &[&HERE[..], &["--wait", "1s"]].concat());
    assert_eq!((code, printed.as_str()), (76, ""));
    assert!(error.ends_with("the test must not start\n"), "{error}");
    let mut waiting = waiter(&server, &["--wait", "10m"]);
    until_so_many_wait(&server, 1).await;
    assert!(Command::new("kill").args(["-TERM", &waiting.id().to_string()]).status().expect("kill runs").success());
    assert_eq!(wait_for_exit(&mut waiting).code(), Some(143));
    until_so_many_wait(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_lease_is_in_a_file_or_in_json_and_never_in_a_log() {
    let (server, _database) = serve().await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("token");
    let (code, _, error) = register(&server, &["--lease", "2m"]);
    assert!(code == 2 && error.contains("give --lease-token-file, or --json"), "{error}");
    let file = path.display().to_string();
    let (code, printed, log) = register(&server, &["--lease", "2m", "--lease-token-file", &file]);
    assert_eq!((code, printed.as_str(), log.as_str()), (0, "Registered as run 1.\n", ""));
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let missing = folder.path().join("no-token").display().to_string();
    let (code, _, error) = call(&server, &["complete", "1", "passed", "--lease-token-file", &missing]);
    assert!(code == 2 && error.contains("cannot read the lease token from"), "{code} {error}");
    assert_eq!(call(&server, &["complete", "1", "passed", "--lease-token-file", &file]).0, 0);
    let (_, json, _) = register(&server, &["--lease", "2m", "--json"]);
    let answer: Value = serde_json::from_str(&json).expect("JSON");
    assert!(answer["lease_token"].as_str().is_some_and(|token| token.len() > 20), "{answer}");
    let nowhere = folder.path().join("missing/token").display().to_string();
    let (code, _, error) = register(&server, &["--lease", "2m", "--lease-token-file", &nowhere]);
    assert!(code == 2 && error.contains("so nothing was registered"), "{error}");
    assert_eq!(server.http().get("/history").await.json()["executions"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_inside_of_a_run_does_not_wait_for_that_run() {
    let (server, _database) = serve().await;
    let outer = server.http().admit(json!({"location": "here", "factor": 0.9})).await;
    let inner = |more: &[&str]| {
        let mut command = perfreg();
        command.args(REGISTER).args(HERE).args(more).args(["--server", &server.url]);
        command.env("PERFREG_RUN_ID", "1").env("PERFREG_FENCE", outer["fence"].to_string());
        command.output().expect("it starts")
    };
    let output = inner(&["--wait", "1h"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(65) && error.contains("run 1 holds 0.9 at here"), "{error}");
    assert_eq!(server.http().get("/locations/here").await.json()["waiting"], 0);
    complete(&server, 1).await;
    assert_eq!(inner(&["--wait", "1h"]).status.code(), Some(0), "what has ended holds nothing");
}

/// `register --wait && load`, with a load that notices another one beside it.
fn pipeline(server: &TestServer, folder: &str) -> Child {
    let line = r#"
        id=$("$@" --wait 10m) || exit 8
        mkdir "$FOLDER/load" || exit 9
        sleep 0.3; rmdir "$FOLDER/load"
        "$PERFREG" complete "$(echo "$id" | tr -dc 0-9)" passed >/dev/null || exit 10"#;
    let binary = perfreg();
    let mut command = Command::new("sh");
    command.args(["-c", line, "sh"]).arg(binary.get_program()).args(REGISTER).args(HERE);
    command.env("PERFREG_URL", &server.url).env("PERFREG", binary.get_program()).env("FOLDER", folder);
    command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

on_both_databases! {
    async fn ten_pipelines_for_one_place_never_run_two_loads_and_dead_waiters_hold_up_none(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().display().to_string();
        assert_eq!(register(&server, &HERE).0, 0);
        let mut dead: Vec<Child> = (0..3).map(|_| waiter(&server, &["--wait", "10m"])).collect();
        until_so_many_wait(&server, 3).await;
        let mut pipelines: Vec<Child> = (0..10).map(|_| pipeline(&server, &path)).collect();
        until_so_many_wait(&server, 13).await;
        for waiter in &mut dead {
            waiter.kill().expect("it lives");
            waiter.wait().expect("it ends");
        }
        complete(&server, 1).await;
        for pipeline in &mut pipelines {
            assert_eq!(wait_for_exit(pipeline).code(), Some(0));
        }
        let ended = server.http().get("/history?status=success").await.json();
        assert_eq!(ended["executions"].as_array().map(Vec::len), Some(11), "none has lost its share");
    }
}
