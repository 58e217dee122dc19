//! Commands that end in all the ways there are.

use serde_json::json;

use super::{Run, execution, run, serve, status};
use crate::support::server::perfreg;

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_of_the_command_is_that_of_run_and_decides_the_outcome() {
    let (server, _database) = serve().await;
    let cases = [
        (&["true"][..], 0, "success"),
        (&["sh", "-c", "exit 3"], 3, "failure"),
        (&["sh", "-c", "exit 255"], 255, "failure"),
        (&["sh", "-c", "kill -KILL $$"], 137, "failure"),
        (&["sh", "-c", "kill -SEGV $$"], 139, "failure"),
    ];
    for (run_id, (command, expected, outcome)) in (1..).zip(cases) {
        let (code, log) = Run::start(&server.url, &[&["--"], command].concat()).end();
        assert_eq!(code, expected, "{command:?}: {log}");
        assert_eq!(status(&server, run_id).await, outcome, "{command:?}");
        assert!(
            log.lines().last().unwrap_or_default().starts_with(&format!("perfreg: run {run_id}: {outcome} after "))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_is_told_of_its_run_and_has_our_input_and_output_to_itself() {
    let (server, _database) = serve().await;
    let script = "echo $PERFREG_RUN_ID $PERFREG_FENCE $PERFREG_URL; cat; echo problem >&2";
    let mut command = run(&server.url, &["--location", "here", "--factor", "0.5", "--", "sh", "-c", script]);
    command.stdin(std::fs::File::open("/proc/version").expect("Linux"));
    let mut run = Run::start_with(command);
    let (code, log) = run.end();
    let version = std::fs::read_to_string("/proc/version").expect("Linux");
    assert_eq!((code, run.out()), (0, format!("1 1 {}\n{version}", server.url)));
    let first = format!("): {}/runs/1\nproblem\nperfreg: run 1: success after ", server.url);
    assert!(log.contains("perfreg: run 1 may start at here (0.5") && log.contains(&first), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_the_job_is_registered() {
    let (server, _database) = serve().await;
    let job = [
        ("GITLAB_CI", "true"),
        ("CI_PROJECT_PATH", "shop/web"),
        ("CI_COMMIT_REF_NAME", "main"),
        ("CI_ENVIRONMENT_NAME", "staging"),
        ("GITLAB_USER_LOGIN", "ana"),
        ("CI_JOB_URL", "https://gitlab.example.com/shop/web/-/jobs/42"),
    ];
    let mut command = perfreg();
    command.args(["run", "--server", &server.url, "--expected", "10m", "--", "echo", "t.js"]);
    assert!(command.envs(job).output().expect("it starts").status.success());
    let run = execution(&server, 1).await;
    for (field, expected) in [
        ("repo", "shop/web"),
        ("stream", "main"),
        ("environment", "staging"),
        ("triggered_by", "ana"),
        ("dashboard_url", "https://gitlab.example.com/shop/web/-/jobs/42"),
        ("test", "t.js"),
        ("lac", "default"),
        ("type", "performance"),
    ] {
        assert_eq!(run[field], expected, "{field}");
    }
}

#[test]
fn everything_that_is_missing_is_named_and_nothing_is_started() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut command = perfreg();
    command.args(["run", "--test", "load", "--", "echo", "started"]).current_dir(folder.path());
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(error.starts_with("perfreg: give --repo and --stream, or set"), "{error}");
    assert!(output.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_registry_finds_wrong_starts_nothing() {
    let (server, _database) = serve().await;
    for (option, value, expected_code) in [("--lease", "5s", 2), ("--factor", "5", 65), ("--factor", "much", 2)] {
        let mut run = Run::start(&server.url, &["--location", "here", option, value, "--", "echo", "started"]);
        let (code, log) = run.end();
        assert_eq!((code, run.out().as_str()), (expected_code, ""), "{option} {value}: {log}");
        assert!(log.contains(option.trim_start_matches("--")), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_bound_by_nothing_is_warned_of() {
    let (server, _database) = serve().await;
    let (here, half) = (["--location", "here"], ["--factor", "0.5"]);
    for (arguments, warning) in [
        (&half[..], "WARNING: without a location the load is bound by nothing"),
        (&here[..], "WARNING: without a factor the load takes nothing of here"),
    ] {
        let (code, log) = Run::start(&server.url, &[arguments, &["--", "true"]].concat()).end();
        assert_eq!(code, 0);
        assert!(log.contains(warning), "{log}");
    }
    let (_, log) = Run::start(&server.url, &[&here[..], &half, &["--", "true"]].concat()).end();
    assert!(!log.contains("WARNING"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_leaves_behind_ends_with_it() {
    let (server, _database) = serve().await;
    let script = "sleep 300 & setsid sleep 300 & (trap '' TERM; sleep 300; sleep 300) & exit 3";
    let mut run = Run::start(&server.url, &["--", "sh", "-c", script]);
    assert_eq!(run.end().0, 3);
    assert_eq!(run.processes(), Vec::<i64>::new(), "nothing is left when run has ended");
    assert_eq!(status(&server, 1).await, "failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_or_full_outputs_change_nothing() {
    let (server, _database) = serve().await;
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("Linux");
    let mut command = run(&server.url, &["--", "sh", "-c", "exec >&- 2>&-; exit 4"]);
    let code = command.stdout(full()).stderr(full()).status().expect("env is there").code();
    assert_eq!(code, Some(4));
    assert_eq!(server.http().get("/status").await.json(), json!({"running": []}));
}
