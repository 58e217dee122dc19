//! Signals, and the death of the wrapper.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Run, execution, kill, run, serve, status, until};

/// A load with children in its group, out of its group, and one that ignores SIGTERM.
const FAMILY: &str = "sleep 300 & setsid sleep 300 & (trap '' TERM INT; sleep 300; sleep 300) & echo ready; wait; wait";

/// Starts the family and waits until all of it runs: the wrapper, the guard, and five more.
fn start_family(url: &str) -> Run {
    let mut command = run(url, &["--location", "here", "--", "sh", "-c", FAMILY]);
    let run = Run::start_with({
        command.process_group(0);
        command
    });
    run.until_it_prints("ready");
    until("the start of all", || run.processes().len() >= 7);
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_of_the_load_dies_with_a_wrapper_that_is_killed() {
    let (server, _database) = serve().await;
    let run = start_family(&server.url);
    run.signal("KILL");
    run.until_nothing_is_left();
    assert_eq!(status(&server, 1).await, "running", "nobody could tell; its lease runs out");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_of_the_load_dies_when_the_group_of_the_wrapper_is_killed() {
    let (server, _database) = serve().await;
    let run = start_family(&server.url);
    kill("KILL", -i64::from(run.child.id()));
    run.until_nothing_is_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_of_the_load_dies_with_a_guard_that_is_killed() {
    let (server, _database) = serve().await;
    let mut run = start_family(&server.url);
    kill("KILL", run.guard());
    assert_eq!(run.end().0, 137);
    run.until_nothing_is_left();
    assert_eq!(status(&server, 1).await, "failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_dies_even_if_the_guard_is_killed_together_with_the_wrapper() {
    let (server, _database) = serve().await;
    let run = Run::start(&server.url, &["--", "sh", "-c", "echo ready; exec sleep 300"]);
    run.until_it_prints("ready");
    let killed = Command::new("kill").args(["-KILL", &run.child.id().to_string(), &run.guard().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    run.until_nothing_is_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_keep_the_lease() {
    let (server, _database) = serve().await;
    let mut run = Run::start(&server.url, &["--lease", "10s", "--", "sh", "-c", "echo ready; exec sleep 300"]);
    run.until_it_prints("ready");
    let first = execution(&server, 1).await["lease_expires_at"].clone();
    let asked = Instant::now();
    while execution(&server, 1).await["lease_expires_at"] == first {
        assert!(asked.elapsed() < Duration::from_secs(9), "no heartbeat came in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    run.signal("TERM");
    assert_eq!(run.end().0, 143);
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_are_passed_on_to_the_whole_group() {
    let (server, _database) = serve().await;
    for name in ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2"] {
        // The background shell has to set its trap itself, since shells start it with INT and QUIT ignored.
        let child = format!(
            "perl -e '$SIG{{{name}}} = sub {{ print \"child\\n\"; exit 0 }}; $| = 1; print \"one\\n\"; sleep 300'"
        );
        let script = format!("trap 'echo parent' {name}; {child} & echo two; wait; wait");
        let mut run = Run::start(&server.url, &["--", "sh", "-c", &script]);
        run.until_it_prints("one");
        run.until_it_prints("two");
        run.signal(name);
        assert_eq!(run.end().0, 0, "{name}");
        assert!(run.out().contains("parent") && run.out().contains("child"), "{name}: {}", run.out());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_after_it_was_interrupted_is_cancelled() {
    let (server, _database) = serve().await;
    for (run_id, script, expected, outcome) in [
        (1, "echo ready; exec sleep 300", 143, "cancelled"),
        (2, "trap 'exit 9' TERM; echo ready; sleep 300 & wait", 9, "cancelled"),
        (3, "trap 'exit 0' TERM; echo ready; sleep 300 & wait", 0, "success"),
    ] {
        let mut run = Run::start(&server.url, &["--", "sh", "-c", script]);
        run.until_it_prints("ready");
        run.signal("TERM");
        assert_eq!(run.end().0, expected);
        assert_eq!(execution(&server, run_id).await["status"], outcome);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_stands_still_can_be_interrupted() {
    let (server, _database) = serve().await;
    let mut run = Run::start(&server.url, &["--", "sh", "-c", "echo ready; kill -STOP $$; exec sleep 300"]);
    run.until_it_prints("ready");
    run.signal("INT");
    assert_eq!(run.end().0, 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_was_ignored_from_the_start_stays_ignored() {
    let (server, _database) = serve().await;
    let inner = run(&server.url, &["--", "sh", "-c", "echo ready; read line < \"$0\"; exit 5"]);
    let folder = tempfile::TempDir::new().expect("a folder");
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let mut command = Command::new("env");
    // As nohup does it.
    command.arg("--ignore-signal=HUP").args(inner.get_args().skip(1)).arg(&pipe).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(std::process::Stdio::null());
    let mut run = Run::start_with(command);
    run.until_it_prints("ready");
    run.signal("HUP");
    std::fs::write(&pipe, "go on\n").expect("the command reads");
    assert_eq!(run.end().0, 5);
}
