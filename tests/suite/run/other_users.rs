//! Processes of the load that belong to somebody else, and so cannot be ended.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};

use serde_json::json;

use super::{Run, descendants, kill, run, serve, status, stop, until};

const WRAPPER: u32 = 65534;
const SOMEBODY_ELSE: u32 = 65533;

/// A program by which the wrapper's user becomes somebody else, as sudo does.
fn become_somebody_else(folder: &std::path::Path) -> String {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test starts processes of other users: run it as root, such as by sudo -E ./test"
    );
    let path = folder.join("become");
    fs::copy("/usr/bin/setpriv", &path).expect("util-linux is there");
    chown(&path, Some(SOMEBODY_ELSE), None).expect("root may");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).expect("root may");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("root may");
    format!("{} --reuid={SOMEBODY_ELSE}", path.display())
}

/// `perfreg run` by an unprivileged user, around a load that has a process of somebody else.
fn start(url: &str, folder: &std::path::Path) -> (Run, i64) {
    let script = format!("{} sleep 300 & echo ready; wait", become_somebody_else(folder));
    let inner = run(url, &["--location", "here", "--factor", "0.5", "--stop-grace", "1s", "--", "sh", "-c", &script]);
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={WRAPPER}"), &format!("--regid={WRAPPER}"), "--clear-groups"]);
    command.arg(inner.get_program()).args(inner.get_args()).env_clear().stdin(Stdio::null());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = Run::start_with(command);
    run.until_it_prints("ready");
    let sleeper = || {
        let is_sleeper =
            |pid: &i64| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep\0"));
        descendants(run.child.id().into()).into_iter().find(is_sleeper)
    };
    until("the start of all", || sleeper().is_some());
    let sleeper = sleeper().expect("it runs");
    (run, sleeper)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_stays_held_while_a_process_that_cannot_be_ended_runs_on() {
    let (server, _database) = serve().await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let (mut run, sleeper) = start(&server.url, folder.path());
    stop(&server, json!({})).await;
    run.until_it_says(&format!("you may not signal sleep (pid {sleeper}, of user {SOMEBODY_ELSE}), so it goes on"));
    run.until_it_says(&format!(
        "1 process of run 1 could not be ended and runs on: sleep (pid {sleeper}, of user {SOMEBODY_ELSE}): the share \
         stays held until it ends, or until perfreg cancel 1 --force"
    ));
    assert_eq!(status(&server, 1).await, "running");
    kill("KILL", sleeper);
    let (code, log) = run.end();
    assert_eq!(code, 79, "{log}");
    assert_eq!(status(&server, 1).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_give_the_share_of_what_runs_on_back() {
    let (server, _database) = serve().await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let (mut run, sleeper) = start(&server.url, folder.path());
    stop(&server, json!({})).await;
    run.until_it_says("could not be ended and runs on");
    stop(&server, json!({"force": true})).await;
    until("the end of the wrapper", || run.child.try_wait().expect("it was started").is_some());
    let log = run.log();
    assert!(log.contains("so its share is held no longer; what runs on: sleep (pid"), "{log}");
    kill("KILL", sleeper);
    assert_eq!(run.end().0, 79);
}
