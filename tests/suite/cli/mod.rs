//! The binary, as a person or a script runs it.

mod events;
mod examples;
mod flags;
mod logging;
mod old_server;
mod reference;
mod registering;
mod serving;
mod showing;
mod variables;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::database::{Engine, TestDatabase};
use crate::support::http::example;
use crate::support::server::{TestServer, perfreg, wait_for_exit};

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = perfreg().args(arguments).output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// Runs a client command against the server.
fn call(server: &TestServer, arguments: &[&str]) -> (i32, String, String) {
    run(&[arguments, &["--server", &server.url]].concat())
}

const REGISTER: [&str; 15] = [
    "register",
    "--repo",
    "myrepo",
    "--lac",
    "lac1",
    "--stream",
    "main",
    "--test",
    "load",
    "--type",
    "performance",
    "--environment",
    "prod",
    "--triggered-by",
    "user1",
];

fn register(server: &TestServer, more: &[&str]) -> (i32, String, String) {
    call(server, &[&REGISTER, more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_names_the_runs_that_it_does_not_reach_and_closes_every_location_in_the_list() {
    let (server, _database) = serve().await;
    let http = server.http();
    for location in ["here", "here", "there"] {
        http.admit(json!({"location": location, "factor": 0.1})).await;
    }
    http.admit(json!({"location": "here", "factor": 0.1, "lease_seconds": 60})).await;
    let stop = ["--state", "stopped", "--reason", "trouble", "--by", "ana"];
    let (code, _, said) = call(&server, &[&["locations", "set", "here"], &stop[..]].concat());
    let named =
        "2 runs have no lease and are not asked to stop. End their loads, then: perfreg cancel 1, perfreg cancel 2";
    assert!(code == 0 && said.contains(named), "{said}");
    let (code, _, said) = call(&server, &[&["registry", "set"], &stop[..]].concat());
    assert!(code == 0 && said.contains("3 runs have no lease"), "{said}");
    call(&server, &["locations", "set", "here", "--state", "open"]);
    let (_, listed, _) = call(&server, &["locations"]);
    let closed = listed.lines().filter(|row| row.ends_with("stopped: the whole registry, trouble, by ana")).count();
    assert_eq!(closed, 2, "{listed}");
    let open = ["registry", "set", "--state", "open", "--by", "ana"];
    assert!(!call(&server, &open).2.contains("no lease"), "nothing is stopped any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn locations_are_remarked_on_merged_and_deleted_on_the_command_line() {
    let (server, _database) = serve().await;
    let at = |name: &'static str| register(&server, &["--factor", "0.1", "--location", name]);
    assert_eq!(at("azure-k8s").2, "perfreg: The location azure-k8s is new here, with a capacity of 1.\n");
    assert_eq!(at(" azure-k8s ").2, "");
    let (code, _, said) = at("azure-k8z");
    let close = "the one that is known and closest to it is azure-k8s.\n";
    assert!(code == 0 && said.ends_with(close), "{said}");
    let (code, _, said) = call(&server, &["locations", "delete", "azure-k8z"]);
    assert!(code == 1 && said.contains("1 run there and 0 wait"), "{said}");
    let (code, printed, _) = call(&server, &["locations", "merge", "azure-k8z", "azure-k8s", "--by", "ana"]);
    assert!(code == 0 && printed.starts_with("Moved 1 test.\n\nLOCATION"), "{printed}");
    assert!(printed.lines().any(|line| line.starts_with("azure-k8s") && line.contains(" 0.3 ")), "{printed}");
    let (code, _, said) = call(&server, &["locations", "delete", "azure-k8z"]);
    assert_eq!(
        (code, said.as_str()),
        (
            1,
            "perfreg: No test has used the location azure-k8z, and no capacity was set. The closest to it is azure-k8s.\n"
        )
    );
    call(&server, &["locations", "set", "unused", "--capacity", "2"]);
    assert_eq!(call(&server, &["locations", "delete", "unused"]).1, "unused is deleted.\n");
}

async fn serve() -> (TestServer, TestDatabase) {
    let database = TestDatabase::new(Engine::Sqlite).await;
    (TestServer::start(&database.url), database)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_goes_from_register_to_history_on_the_command_line() {
    let (server, _database) = serve().await;
    assert_eq!(call(&server, &["status"]), (0, "Nothing is running.\n".into(), String::new()));
    let (code, printed, _) = register(&server, &["--factor", "0.5", "--location", "azure-k8s", "--extra", "workers=4"]);
    assert_eq!((code, printed.as_str()), (0, "Registered as run 1.\n"));
    let (_, table, _) = call(&server, &["status"]);
    assert!(table.contains("RUNS FOR") && table.contains("azure-k8s") && table.contains("0.5"), "{table}");
    assert_eq!(call(&server, &["complete", "1", "success"]).1, "Run 1 ended: success.\n");
    register(&server, &[]);
    assert_eq!(call(&server, &["cancel", "2"]).1, "Run 2 ended: cancelled.\n");
    let (_, json, _) = call(&server, &["history", "--status", "success", "--json"]);
    let history: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(history["executions"][0]["extra"], json!({"workers": "4"}));
    let (_, table, _) = call(&server, &["history", "--limit", "1"]);
    assert!(table.contains("Older ones: --cursor "), "{table}");
    assert_eq!(call(&server, &["history", "--stream", "x%"]).1, "Nothing matches.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn locations_are_shown_and_set() {
    let (server, _database) = serve().await;
    assert_eq!(call(&server, &["locations"]).1, "No location has been used yet.\n");
    let (code, table, _) = call(&server, &["locations", "set", "on prem/1", "--capacity", "2.5"]);
    assert_eq!(code, 0);
    let cells = |table: &str| -> Vec<String> {
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let expected = ["LOCATION USED CAPACITY FREE RUNNING WAITING STATE", "on prem/1 0 2.5 2.5 0 0 open"];
    assert_eq!(cells(&table), expected);
    assert_eq!(cells(&call(&server, &["locations"]).1), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_registry_is_shown_drained_and_opened() {
    let (server, _database) = serve().await;
    assert_eq!(call(&server, &["registry"]), (0, "The registry is open.\n".into(), String::new()));
    let (code, _, error) = call(&server, &["registry", "set", "--state", "draining"]);
    assert_eq!(code, 2, "everybody who waits is to be told why");
    assert!(error.contains("--reason <TEXT>"), "{error}");
    let until = ["--until", "2999-01-01T00:00:00Z"];
    let draining = ["registry", "set", "--state", "draining", "--reason", "release", "--by", "ana"];
    let expected = "The registry is draining: release, by ana, until 2999-01-01 00:00:00Z.\n";
    assert_eq!(call(&server, &[&draining[..], &until].concat()), (0, expected.into(), String::new()));
    assert_eq!(call(&server, &["registry"]).1, expected);
    assert_eq!(register(&server, &["--location", "here", "--factor", "0.5"]).0, 75);
    assert_eq!(
        call(&server, &["registry", "set", "--state", "open", "--by", "ben"]).1,
        "The registry is open, by ben.\n"
    );
    assert_eq!(register(&server, &["--location", "here", "--factor", "0.5"]).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_tell_a_script_what_to_do() {
    let (server, _database) = serve().await;
    let here = ["--location", "here", "--factor"];
    assert_eq!(register(&server, &[&here[..], &["0.9"]].concat()).0, 0);
    let (code, _, error) = register(&server, &[&here[..], &["0.1"]].concat());
    assert_eq!(code, 75);
    assert!(error.starts_with("perfreg: Cannot register test: 0.9 runs at here"), "{error}");
    assert!(error.ends_with(" Add --wait 2h to queue for it.\n") && !error.contains("wait_seconds"), "{error}");
    let (_, body, _) = register(&server, &[&here[..], &["0.1", "--json"]].concat());
    let refusal: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(refusal["blocking"][0]["run_id"], 1, "a script can read who holds it");
    let (code, _, error) = register(&server, &[&here[..], &["1"]].concat());
    assert_eq!(code, 65);
    let largest = "The largest factor that fits is 0.999999. --exclusive asks for as much as fits.\n";
    assert!(error.ends_with(largest), "{error}");
    for command in ["register", "plan"] {
        let too_large = ["--repo", "r", "--stream", "s", "--test", "t", "--location", "here", "--factor", "2"];
        let (code, _, error) = call(&server, &[&[command], &too_large[..]].concat());
        assert!(code == 65 && error.contains("factor must be at most 0.999999 here"), "{error}");
    }
    assert_eq!(register(&server, &["--factor", "0.1", "--location", &"x".repeat(300)]).0, 1);
    assert_eq!(call(&server, &["complete", "99", "success"]).0, 1);
    assert_eq!(call(&server, &["complete", "1", "failed"]).1, "Run 1 ended: failure.\n");
    let (_, _, error) = run(&["status", "--server", "http://me:s3cret@127.0.0.1:1/"]);
    assert!(error.contains("me:***@127.0.0.1:1") && !error.contains("s3cret"), "{error}");
    assert_eq!(run(&["complete", "1", "finished"]).0, 2);
    assert_eq!(run(&["status", "--server", "localhost:8000"]).0, 2);
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let (code, _, error) = run(&["status", "--server", &format!("http://{free}")]);
    assert_eq!(code, 69);
    assert!(error.starts_with(&format!("perfreg: cannot reach the registry at http://{free}/: ")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_tells_by_its_exit_code_how_a_test_ended() {
    let (server, _database) = serve().await;
    for status in ["success", "failure"] {
        register(&server, &[]);
        let run_id = if status == "success" { "1" } else { "2" };
        assert_eq!(call(&server, &["wait", run_id, "--for", "started"]).1, format!("Run {run_id} runs.\n"));
        let (code, _, error) = call(&server, &["wait", run_id, "--timeout", "1s"]);
        assert_eq!((code, error), (76, format!("perfreg: run {run_id} is still running; given up\n")));
        let mut waiting =
            perfreg().args(["wait", run_id, "--server", &server.url]).stdout(Stdio::null()).spawn().expect("it starts");
        call(&server, &["complete", run_id, status]);
        let code = wait_for_exit(&mut waiting).code();
        assert_eq!(code, Some(i32::from(status == "failure")));
        assert_eq!(call(&server, &["wait", run_id]).1, format!("Run {run_id} ended: {status}.\n"));
    }
    register(&server, &[]);
    call(&server, &["cancel", "3"]);
    assert_eq!(call(&server, &["wait", "3"]).0, 1);
    assert_eq!(call(&server, &["wait", "3", "--for", "started"]).0, 1);
    let (code, _, error) = call(&server, &["wait", "99"]);
    assert_eq!((code, error.as_str()), (1, "perfreg: No test has the run_id 99; perfreg history lists all.\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_gives_up_in_time_although_the_registry_hangs() {
    let (server, _database) = serve().await;
    register(&server, &[]);
    server.signal("STOP");
    let start = Instant::now();
    let (code, _, error) = call(&server, &["wait", "1", "--timeout", "2s"]);
    assert_eq!(code, 76, "{error}");
    assert!(error.ends_with("it does not answer; given up\n"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
}

#[test]
fn what_the_registry_said_last_is_said_at_the_end_although_it_hangs_then() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for (number, mut connection) in listener.incoming().map_while(Result::ok).enumerate() {
            let head = BufReader::new(connection.try_clone().expect("a socket")).lines();
            assert!(head.map_while(Result::ok).any(|line| line.is_empty()), "the whole head of a request");
            if number == 0 {
                let body = r#"{"type":"urn:perfreg:problem:unavailable","status":503,"title":"t","detail":"The disk is full.","message":"m"}"#;
                let head =
                    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nConnection: close";
                let _ = write!(connection, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            }
            // The others are never answered.
            kept.push(connection);
        }
    });
    let output = perfreg().args(["wait", "1", "--timeout", "2s", "--server", &url]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(76), "{said}");
    assert_eq!(said, "perfreg: The disk is full; trying again\nperfreg: The disk is full; given up\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_prints_each_change_where_there_is_no_terminal() {
    let (server, _database) = serve().await;
    let mut command = perfreg();
    let mut watch = command.args(["watch", "--server", &server.url]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines().map(|line| line.expect("UTF-8"));
    assert!(lines.any(|line| line == "Nothing is running."));
    register(&server, &[]);
    assert!(lines.any(|line| line.contains("performance") && line.contains("user1")));
    register(&server, &["--location", "here", "--factor", "0.9"]);
    let waiter = json!({"location": "here", "factor": 0.5, "wait_seconds": 3_600, "priority": 7});
    assert_eq!(server.http().post("/register", &example(waiter)).await.status, 202);
    assert!(lines.any(|line| line.starts_with("RUN  WAITS FOR  FACTOR  TEST  REPO    BY     POSITION  STARTS")));
    assert!(lines.any(|line| line.split_whitespace().take(7).eq(["3", "here", "0.5", "load", "myrepo", "user1", "1"])));
    watch.kill().expect("it runs");
    watch.wait().expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_found_through_the_environment() {
    let (server, _database) = serve().await;
    let output = perfreg().arg("status").env("PERFREG_URL", &server.url).output().expect("the binary starts");
    assert!(output.status.success());
}

#[test]
fn the_database_is_found_through_the_environment_in_its_order() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let mut command = perfreg();
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder.path());
    drop(TestServer::start_with(&mut command));
    command.env("DATABASE_URL", url("second.db"));
    drop(TestServer::start_with(&mut command));
    command.env("PERFREG_DATABASE_URL", url("first.db"));
    drop(TestServer::start_with(&mut command));
    for name in ["perfreg.db", "second.db", "first.db"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_server_that_cannot_start_says_why_and_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = tempfile::TempDir::new().expect("a folder");
    let database = format!("sqlite:{}", folder.path().join("perfreg.db").display());
    let serve = |listen: &str, database: &str| run(&["serve", "--listen", listen, "--database", database]);
    for ((code, _, error), expected_code, words) in [
        (serve(&address, &database), 1, "stop what listens there or give another address with --listen"),
        (serve("127.0.0.1:0", "sqlite:/nowhere/x.db"), 1, "create the folder or name another file"),
        (serve("127.0.0.1:0", "postgresql://me@h/d?sslmode=x"), 1, "sslmode=x is none of"),
        (serve("127.0.0.1:0", "postgresql://"), 2, "--database is wrong: it names no host; it looks like"),
        (serve("127.0.0.1:0", "postgresql://h/d"), 2, "--database is wrong: it names no user; it looks like"),
        (
            serve("127.0.0.1:0", "mysql://me:s3cret@db"),
            2,
            "--database is wrong: a database URL begins with sqlite: or postgresql://",
        ),
        (serve("localhost", &database), 2, "give one such as 127.0.0.1:8000"),
        (serve("no.such.host.invalid:80", &database), 1, "names no address that is known here"),
        (
            run(&["serve", "--public-url", "https://me:s3cret@ci.example.com"]),
            2,
            "--public-url is wrong: it has a user or a password, which everybody would see; leave them out",
        ),
        (
            run(&["serve", "--public-url", "ftp://me:s3cret@ci.example.com"]),
            2,
            "--public-url is wrong: give a URL that",
        ),
    ] {
        assert_eq!(code, expected_code, "{error}");
        assert!(error.contains(words) && !error.contains("s3cret"), "{words:?} in {error:?}");
    }
    let wrong =
        perfreg().args(["serve", "--listen", "127.0.0.1:0"]).env("DATABASE_URL", "mysql://me:s3cret@db").output();
    let error = String::from_utf8(wrong.expect("the binary starts").stderr).expect("UTF-8");
    assert!(error.contains("DATABASE_URL is wrong") && !error.contains("s3cret"), "{error}");
}

#[test]
fn every_help_is_as_reviewed() {
    let mut all = String::new();
    for arguments in [
        &["-h"][..],
        &["--help"],
        &["serve", "--help"],
        &["run", "-h"],
        &["run", "--help"],
        &["register", "--help"],
        &["complete", "--help"],
        &["cancel", "--help"],
        &["plan", "--help"],
        &["wait", "--help"],
        &["status", "--help"],
        &["watch", "--help"],
        &["history", "--help"],
        &["events", "--help"],
        &["locations", "--help"],
        &["locations", "set", "--help"],
        &["locations", "merge", "--help"],
        &["locations", "delete", "--help"],
        &["registry", "--help"],
        &["registry", "set", "--help"],
        &["backup", "--help"],
        &["restore", "--help"],
        &["completions", "--help"],
        &["manual", "--help"],
        &["version", "--help"],
    ] {
        let (code, help, _) = run(arguments);
        assert_eq!(code, 0);
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{arguments:?} has a line of {widest:?} columns");
        assert!(help.contains("\nExamples:\n  ") || arguments[0] == "version", "{arguments:?} has no examples");
        all.extend(["$ perfreg ", &arguments.join(" "), "\n", &help, "\n"]);
    }
    insta::assert_snapshot!(all);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_started_at_a_location_before_some_time_is_cancelled() {
    let (server, _database) = serve().await;
    let here = ["--location", "here", "--factor", "0.1"];
    register(&server, &here);
    register(&server, &[&here[..], &["--lease", "60s", "--json"]].concat());
    let cancel = ["cancel", "--location", "here", "--started-before"];
    assert_eq!(call(&server, &[&cancel[..], &["1h"]].concat()).1.lines().count(), 1, "nothing is that old");
    let (code, told, _) = call(&server, &[&cancel[..], &["2999-01-01", "--dry-run"]].concat());
    assert_eq!(code, 0);
    for words in
        ["1 run without a lease would be ended:", "1 run with a lease would be asked to stop:", "Nothing was changed;"]
    {
        assert!(told.contains(words), "{told}");
    }
    let (_, told, _) = call(&server, &[&cancel[..], &["2999-01-01T00:00:00Z"]].concat());
    assert!(told.starts_with("1 run without a lease ended:\n\nRUN  TEST  FACTOR  BY     STARTED"), "{told}");
    assert!(told.contains("1 run with a lease asked to stop:"), "{told}");
    let (code, _, error) = call(&server, &["cancel", "--location", "nowhere", "--started-before", "2999-01-01"]);
    assert!(code == 1 && error.contains("No test has used the location nowhere"), "{error}");
    for wrong in [
        &["cancel"][..],
        &["cancel", "--location", "here"],
        &["cancel", "1", "--started-before", "1h"],
        &["cancel", "1", "--dry-run"],
        &["cancel", "1", "--location", "here", "--started-before", "1h"],
        &["cancel", "--location", "here", "--started-before", "1h", "--force"],
        &["cancel", "--location", "here", "--started-before", "yesterday"],
    ] {
        assert_eq!(call(&server, wrong).0, 2, "{wrong:?}");
    }
}
