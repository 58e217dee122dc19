//! What happens before a test is registered.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tempfile::TempDir;

use super::{Run, serve};
use crate::support::server::TestServer;

const HALF: [&str; 4] = ["--location", "here", "--factor", "0.5"];

async fn registered(server: &TestServer) -> usize {
    let history = server.http().get("/history").await.json();
    history["executions"].as_array().expect("a list").len()
}

fn script(folder: &TempDir, name: &str, text: &str, mode: u32) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_run_is_found_out_before_it_waits_and_is_not_registered() {
    let (server, _database) = serve().await;
    server.http().admit(json!({"location": "here", "factor": 0.9})).await;
    let folder = TempDir::new().expect("a folder");
    let windows = script(&folder, "windows.sh", "#!/bin/sh\r\necho hi\r\n", 0o755);
    let locked = script(&folder, "locked.sh", "#!/bin/sh\n", 0o644);
    for (command, code, advice) in [
        (&["there-is-no-such-command"][..], 127, "install it, or give its path"),
        (&["/nowhere/k6", "run"], 127, "there is no such file"),
        (&["/"], 126, "it is a folder"),
        (&[locked.as_str()], 126, "chmod +x"),
        (&[windows.as_str()], 127, "its first line ends as on Windows"),
        (&["cd", "load", "&&", "k6", "run"], 127, "sh -c 'cd …'"),
        (&["echo a b"], 127, "sh -c 'echo …'"),
        (&["VUS=1", "k6", "run"], 127, "begin the command with env"),
        (&[""], 127, "a variable is"),
    ] {
        let waiting = [&HALF[..], &["--wait", "1h", "--"], command].concat();
        let (found, log) = Run::start(&server.url, &waiting).end();
        assert_eq!(found, code, "{command:?}: {log}");
        assert!(log.starts_with("perfreg: cannot run ") && log.contains(advice), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
    assert_eq!(registered(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_without_an_interpreter_is_run_by_sh() {
    let (server, _database) = serve().await;
    let folder = TempDir::new().expect("a folder");
    let plain = script(&folder, "plain", "echo started\nexit 3\n", 0o755);
    let mut run = Run::start(&server.url, &["--", &plain]);
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (3, "started\n"), "{log}");
}
