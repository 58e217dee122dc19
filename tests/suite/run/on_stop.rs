//! `--on-stop`: what ends a load that is no descendant, such as a container.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use serde_json::json;

use super::{Run, kill, serve, status, stop, until};
use crate::support::server::wait_for_exit;

/// A container, which does not end with its client, and does not hear SIGTERM, as the first process of one does not.
struct Container {
    process: Child,
    folder: tempfile::TempDir,
}

impl Container {
    fn start() -> Self {
        let folder = tempfile::TempDir::new().expect("a folder");
        let process = Command::new("sh").args(["-c", "trap '' TERM; while :; do sleep 1; done"]).spawn();
        Self { process: process.expect("sh is there"), folder }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What ends the container and writes down for which run.
    fn on_stop(&self) -> String {
        format!("kill -KILL {} && echo $PERFREG_RUN_ID >> {}", self.process.id(), self.log().display())
    }

    fn run(&self, url: &str, arguments: &[&str]) -> Run {
        let on_stop = self.on_stop();
        let command = ["--on-stop", &on_stop, "--", "sh", "-c", "echo ready; exec sleep 300"];
        let run = Run::start(url, &[arguments, &command[..]].concat());
        run.until_it_prints("ready");
        run
    }

    /// It has ended, by one command for this run.
    fn has_ended(mut self, run_id: i64) {
        assert!(!wait_for_exit(&mut self.process).success());
        until("the word of the command", || fs::read_to_string(self.log()).is_ok_and(|text| text.ends_with('\n')));
        assert_eq!(fs::read_to_string(self.log()).expect("a log"), format!("{run_id}\n"));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_elsewhere_ends_with_a_run_that_is_stopped_or_interrupted() {
    let (server, _database) = serve().await;
    let container = Container::start();
    let mut run = container.run(&server.url, &[]);
    stop(&server, json!({})).await;
    let (code, log) = run.end();
    assert_eq!(code, 79, "{log}");
    assert!(log.contains("so the command of --on-stop runs, for at most 30s"), "{log}");
    container.has_ended(1);

    let container = Container::start();
    let mut run = container.run(&server.url, &[]);
    run.signal("INT");
    assert_eq!(run.end().0, 130);
    container.has_ended(2);

    let container = Container::start();
    let mut run = container.run(&server.url, &["--max", "1s"]);
    assert_eq!(run.end().0, 79);
    container.has_ended(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_elsewhere_ends_with_a_wrapper_that_is_killed() {
    let (server, _database) = serve().await;
    let container = Container::start();
    let run = container.run(&server.url, &[]);
    run.signal("KILL");
    run.until_nothing_is_left();
    container.has_ended(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_elsewhere_ends_with_a_guard_that_is_killed() {
    let (server, _database) = serve().await;
    let container = Container::start();
    let mut run = container.run(&server.url, &[]);
    kill("KILL", run.guard());
    let (code, log) = run.end();
    assert_eq!(code, 137, "{log}");
    container.has_ended(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_command_that_succeeds_needs_no_other_to_stop_its_load() {
    let (server, _database) = serve().await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let stopped = folder.path().join("stopped");
    let on_stop = format!("touch {}", stopped.display());
    for (script, expected) in [("exit 0", 0), ("exit 255", 255), ("kill -KILL $$", 137)] {
        let (code, log) = Run::start(&server.url, &["--on-stop", &on_stop, "--", "sh", "-c", script]).end();
        assert_eq!(code, expected, "{log}");
        assert_eq!(
            std::fs::remove_file(&stopped).is_ok(),
            expected != 0,
            "a client that failed says nothing of its load"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_kept_where_nobody_knows_whether_the_load_has_ended() {
    let (server, _database) = serve().await;
    let command = ["--on-stop", "echo no such container >&2; exit 4", "--", "sh", "-c", "echo ready; exec sleep 300"];
    let mut run = Run::start(&server.url, &command);
    run.until_it_prints("ready");
    stop(&server, json!({})).await;
    run.until_it_says("the command of --on-stop has failed (exit code 4)");
    run.until_it_says("end it there, and then give the share back with perfreg cancel 1 --force");
    assert_eq!(status(&server, 1).await, "running");
    run.signal("INT");
    until("a second word", || run.log().matches("give the share back with").count() == 2);
    stop(&server, json!({"force": true})).await;
    let (code, log) = run.end();
    assert_eq!(code, 79, "{log}");
    assert!(log.contains("so its share is held no longer; the load may run on elsewhere"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_on_stop_that_hangs_is_killed_with_all_it_has_started() {
    let (server, _database) = serve().await;
    let command = ["--stop-grace", "1s", "--on-stop", "setsid sleep 300 & sleep 300", "--", "sleep", "300"];
    let mut run = Run::start(&server.url, &command);
    run.until_it_says("run 1 may start");
    stop(&server, json!({})).await;
    run.until_it_says("did not end within 10s and was killed");
    stop(&server, json!({"force": true})).await;
    assert_eq!(run.end().0, 79);
    assert_eq!(run.processes(), Vec::<i64>::new());
}
