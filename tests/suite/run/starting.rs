//! What happens before a test is registered.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Run, execution, run, serve};
use crate::support::server::{TestServer, perfreg};

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

/// What stands before the command of a run that is inside of another one.
fn inner(arguments: &[&'static str]) -> Vec<&'static str> {
    let job = ["--repo", "shop/web", "--stream", "main", "--triggered-by", "ana"];
    [&[env!("CARGO_BIN_EXE_perfreg"), "run"][..], &job, arguments].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_inside_of_another_one_uses_its_share() {
    let (server, _database) = serve().await;
    let outer = ["--location", "nest", "--factor", "0.6", "--wait", "60s", "--"];
    let show = ["--wait", "60s", "--", "sh", "-c", "echo run $PERFREG_RUN_ID fence $PERFREG_FENCE"];
    for factor in ["0.6", "0.25"] {
        let command = inner(&[&["--location", "nest", "--factor", factor], &show[..]].concat());
        let mut run = Run::start(&server.url, &[&outer[..], &command].concat());
        let (code, log) = run.end();
        let number = registered(&server).await;
        assert_eq!((code, run.out()), (0, format!("run {number} fence {number}\n")), "{log}");
        let said = format!("perfreg: run {number} holds 0.6 at nest already; the command runs under its share\n");
        let inside = format!("{said}perfreg: the command inside of run {number}: success after ");
        assert!(log.contains(&inside), "{log}");
    }
    assert_eq!(registered(&server).await, 2, "the inner runs are none of their own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_inside_of_another_one_that_wants_more_is_refused() {
    let (server, _database) = serve().await;
    let outer = ["--location", "nest", "--factor", "0.4", "--"];
    for more in [&["--factor", "0.5"][..], &["--exclusive"]] {
        let command = inner(&[&["--location", "nest", "--wait", "60s"], more, &["--", "echo", "started"]].concat());
        let mut run = Run::start(&server.url, &[&outer[..], &command].concat());
        let (code, log) = run.end();
        assert_eq!((code, run.out().as_str()), (65, ""), "{log}");
        assert!(log.contains("holds 0.4 at nest") && log.contains("give the outer perfreg run the factor"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_inside_of_another_one_is_one_of_its_own_at_another_location_or_after_its_end() {
    let (server, _database) = serve().await;
    let command = inner(&["--location", "elsewhere", "--factor", "0.6", "--", "echo", "inner"]);
    let mut outer = Run::start(&server.url, &[&["--location", "nest", "--factor", "0.6", "--"], &command[..]].concat());
    assert_eq!((outer.end().0, outer.out().as_str()), (0, "inner\n"));
    assert_eq!(execution(&server, 2).await["location"], "elsewhere");
    for (expected, run_id) in [(3, "1"), (4, "99"), (5, "none")] {
        let mut command = run(&server.url, &["--location", "nest", "--factor", "0.6", "--", "true"]);
        command.env("PERFREG_RUN_ID", run_id);
        assert_eq!(Run::start_with(command).end().0, 0);
        assert_eq!(registered(&server).await, expected, "{run_id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_inside_of_a_run_says_that_it_would_wait_for_itself() {
    let (server, _database) = serve().await;
    let job = ["--repo", "shop/web", "--stream", "main", "--triggered-by", "ana", "--test", "t"];
    let plan = [&[env!("CARGO_BIN_EXE_perfreg"), "plan", "--location", "nest", "--factor", "0.6"][..], &job].concat();
    let outer = ["--location", "nest", "--factor", "0.5", "--"];
    let (code, log) = Run::start(&server.url, &[&outer[..], &plan].concat()).end();
    assert_eq!(code, 75, "{log}");
    assert!(log.contains("run 1 holds 0.5 at nest, and this is inside of it"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusive_asks_for_the_whole_location() {
    let (server, _database) = serve().await;
    let capacity = server.http().send(Method::PUT, "/locations/large", &json!({"capacity": 2.5})).await;
    assert!(capacity.status.is_success(), "{}", capacity.text);
    for (run_id, location, factor, capacity) in [(1, "large", "2.499999", "2.5"), (2, "new", "0.999999", "1")] {
        let mut command = run(&server.url, &["--location", location, "--exclusive", "--", "true"]);
        // What is set for the whole job does not stand against a flag.
        command.env("PERFREG_FACTOR", "0.1");
        let (code, log) = Run::start_with(command).end();
        assert_eq!(code, 0, "{log}");
        let said = format!("perfreg: --exclusive asks for {factor} of {capacity} at {location}\n");
        assert!(log.starts_with(&said), "{log}");
        assert_eq!(execution(&server, run_id).await["factor"].to_string(), factor);
    }
    let (code, log) = Run::start(&server.url, &["--exclusive", "--", "true"]).end();
    assert_eq!(code, 2, "{log}");
    assert!(log.contains("give --location, or set PERFREG_LOCATION"), "{log}");
    let (code, log) = Run::start(&server.url, &[&HALF[..], &["--exclusive", "--", "true"]].concat()).end();
    assert_eq!(code, 2, "{log}");
    assert!(log.contains("'--factor <FACTOR>'") && log.contains("'--exclusive'"), "{log}");
}

/// A job of Jenkins, which finds out everything but the environment.
fn job(server: &TestServer, changes: &[(&str, &str)]) -> Command {
    let mut command = perfreg();
    command.args(["run", "--server", &server.url, "--location", "here", "--factor", "0.01", "--", "true"]).envs([
        ("JENKINS_URL", "https://jenkins.example.com/"),
        ("GIT_URL", "https://git.example.com/shop/web.git"),
        ("GIT_BRANCH", "origin/main"),
        ("JOB_NAME", "load"),
        ("BUILD_URL", "https://jenkins.example.com/job/load/7/"),
    ]);
    command.envs(changes.iter().copied());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_made_to_fit_with_one_warning_and_what_was_given_is_refused() {
    let (server, _database) = serve().await;
    let deep = format!("{}load", "team/".repeat(60));
    let branch = format!("origin/{}", "x".repeat(260));
    let link = "dashboard-url is left out, as it is no http or https link";
    for (run_id, (variables, warning)) in (1..).zip([
        (&[][..], None),
        (&[("BUILD_URL", "unconfigured-jenkins-location/job/load/7/")], Some(link)),
        (&[("JOB_NAME", deep.as_str())], Some("triggered-by is cut to 255 characters")),
        (&[("GIT_BRANCH", branch.as_str())], Some("stream is cut to 255 characters")),
        (&[("BUILD_USER_ID", "ana\tlee")], Some("triggered-by is without its control characters")),
        (&[("GIT_BRANCH", " \u{7} "), ("BRANCH_NAME", "faster")], None),
        (&[("BUILD_URL", "https://me:s3cret@jenkins.example.com/job/load/7/")], None),
    ]) {
        let output = job(&server, variables).output().expect("the binary starts");
        let log = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success() && !log.contains("s3cret"), "{log}");
        let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARNING")).collect();
        assert_eq!(warnings.len(), warning.iter().count(), "{log}");
        assert!(warning.is_none_or(|warning| log.contains(warning)), "{log}");
        let saved = execution(&server, run_id).await;
        assert!(!saved.to_string().contains("s3cret"), "{saved}");
    }
    let given = job(&server, &[("PERFREG_DASHBOARD_URL", "job/load/7/")]).output().expect("the binary starts");
    let log = String::from_utf8(given.stderr).expect("UTF-8");
    assert_eq!(given.status.code(), Some(2), "{log}");
    assert!(log.contains("give a link that begins with http:// or https://"), "{log}");
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=ana", "-c", "user.email=ana@example.com"]).args(arguments).current_dir(folder);
    let output = git.output().expect("git is there");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_of_a_ci_system_git_says_repo_and_stream() {
    let (server, _database) = serve().await;
    let parent = TempDir::new().expect("a folder");
    let folder = parent.path().join("web");
    let below = folder.join("load");
    fs::create_dir_all(&below).expect("made");
    let register = async |run_id: i64| -> (Value, Value) {
        let mut command = perfreg();
        command.args(["run", "--server", &server.url, "--", "true"]).env("USER", "ana").current_dir(&below);
        let output = command.output().expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let run = execution(&server, run_id).await;
        assert_eq!((&run["environment"], &run["triggered_by"]), (&json!("default"), &json!("ana")));
        (run["repo"].clone(), run["stream"].clone())
    };
    git(&folder, &["init", "--quiet", "--initial-branch", "faster"]);
    assert_eq!(register(1).await, (json!("web"), json!("faster")), "without a commit, and without a remote");
    git(&folder, &["remote", "add", "origin", "https://robot:s3cret@git.example.com/shop/web.git"]);
    git(&folder, &["commit", "--quiet", "--allow-empty", "--message", "Begin"]);
    assert_eq!(register(2).await, (json!("shop/web"), json!("faster")));
    git(&folder, &["checkout", "--quiet", "--detach"]);
    let (repo, commit) = register(3).await;
    let commit = commit.as_str().expect("a text");
    assert_eq!(repo, json!("shop/web"));
    assert!(commit.len() >= 7 && commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{commit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_hangs_or_is_missing_holds_up_nothing() {
    let (server, _database) = serve().await;
    let folder = TempDir::new().expect("a folder");
    let job = ["run", "--server", &server.url, "--triggered-by", "ana", "--", "/bin/true"];
    let missing = perfreg().args(job).env("PATH", folder.path()).output().expect("the binary starts");
    script(&folder, "git", "#!/bin/sh\nexec sleep 300\n", 0o755);
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    let hanging = perfreg().args(job).env("PATH", path).output().expect("the binary starts");
    for output in [missing, hanging] {
        let log = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.starts_with("perfreg: give --repo and --stream, or set PERFREG_REPO and PERFREG_STREAM;"), "{log}");
    }
}
