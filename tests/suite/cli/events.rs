//! Plans and events on the command line.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use serde_json::Value;

use super::{REGISTER, call, register, serve};
use crate::support::database::{Engine, TestDatabase};
use crate::support::server::{PATIENCE, TestServer, perfreg};

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_whether_a_test_would_start_and_exits_so() {
    let (server, _database) = serve().await;
    let plan = |more: &[&str]| {
        let mut arguments = [&REGISTER, &["--location", "azure-k8s"][..], more].concat();
        arguments[0] = "plan";
        call(&server, &arguments)
    };
    let (code, printed, _) = plan(&["--factor", "0.6"]);
    assert_eq!(code, 0);
    assert_eq!(printed, "It would start now.\nThe largest factor that would start now: 0.999999.\n");
    register(&server, &["--location", "azure-k8s", "--factor", "0.6", "--expected", "1h"]);
    let (code, printed, _) = plan(&["--factor", "0.5"]);
    assert_eq!(code, 75);
    assert!(printed.starts_with("It would not start now: 0.6 runs at azure-k8s"), "{printed}");
    assert!(printed.contains("it would probably start at 2"), "{printed}");
    assert!(printed.ends_with("The largest factor that would start now: 0.399999.\n"), "{printed}");
    assert_eq!(plan(&["--factor", "1"]).0, 65);
    let (_, json, _) = plan(&["--factor", "0.5", "--json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["starts_now"], &json["obstacle"]), (&false.into(), &"no_room".into()));
    assert_eq!(plan(&["--factor", "x"]).0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_what_happened_and_go_on_over_a_restart() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let mut server = TestServer::start(&database.url);
    assert_eq!(call(&server, &["events"]), (0, "Nothing happened.\n".into(), String::new()));
    register(&server, &["--location", "azure-k8s", "--factor", "0.6"]);
    register(&server, &["--location", "azure-k8s", "--factor", "0.5"]);
    let (_, printed, _) = call(&server, &["events"]);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].ends_with("Z  run 1 started at azure-k8s with 0.6 of 1, alone"), "{printed}");
    assert!(lines[1].contains("by user1 was refused at azure-k8s: 0.6 runs at azure-k8s and 0.5 more"), "{printed}");
    assert!(lines[1].ends_with(" Running there: run 1 (0.6)"), "{printed}");
    let (_, wide, _) = call(&server, &["events", "--wide"]);
    assert!(wide.contains("[refused]: ") && wide.contains("cause no_room"), "{wide}");
    assert!(wide.contains("blocking 1 (0.6)") && wide.contains("requested factor 0.5"), "{wide}");
    let (_, of_run, _) = call(&server, &["events", "--run", "1", "--kind", "started,ended"]);
    assert_eq!(of_run.lines().count(), 1);
    let (code, _, error) = call(&server, &["events", "--kind", "nothing"]);
    assert_eq!(code, 2);
    assert!(error.contains("possible values: queued, started"), "{error}");

    let arguments =
        ["events", "--follow", "--json", "--from", "2026-01-01", "--kind", "ended", "--server", &server.url];
    let mut follower = perfreg().args(arguments).stdout(Stdio::piped()).spawn().expect("the binary starts");
    let lines = BufReader::new(follower.stdout.take().expect("piped")).lines();
    let (sender, told) = mpsc::sync_channel(10);
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let next_kind = || {
        let line = told.recv_timeout(PATIENCE).expect("an event in time");
        let event: Value = serde_json::from_str(&line).expect("JSON");
        event["kind"].as_str().expect("a kind").to_owned()
    };
    let (_, port) = server.url.rsplit_once(':').expect("a port");
    let port = port.parse().expect("a number");
    server.signal("TERM");
    server.wait();
    let server = TestServer::start_on(port, &database.url);
    assert_eq!(call(&server, &["complete", "1", "success"]).0, 0);
    assert_eq!(next_kind(), "ended");
    follower.kill().expect("it still follows");
    follower.wait().expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_say_how_to_see_those_before_and_which_location_was_meant() {
    let (server, _database) = serve().await;
    for factor in ["0.1", "0.2"] {
        register(&server, &["--location", "azure-k8s", "--factor", factor]);
    }
    let (_, page, _) = call(&server, &["events", "--limit", "1"]);
    let (event, cursor) = page.trim_end().split_once("\n\nOlder ones: --cursor ").expect("a cursor");
    assert!(event.contains("run 2 started") && !event.contains('\n'), "{page}");
    let (code, older, _) = call(&server, &["events", "--limit", "1", "--cursor", cursor]);
    assert!(code == 0 && older.contains("run 1 started") && !older.contains("--cursor"), "{older}");
    assert_eq!(call(&server, &["events", "--follow", "--cursor", cursor]).0, 2);

    let closest = "perfreg: No test has used the location azure-k8z, and no capacity was set. The closest to it is \
                   azure-k8s.\n";
    let (code, printed, error) = call(&server, &["events", "--location", "azure-k8z"]);
    assert_eq!((code, printed.as_str(), error.as_str()), (1, "", closest));
    let (code, printed, _) = call(&server, &["events", "--location", "azure-k8s", "--kind", "suspect"]);
    assert_eq!((code, printed.as_str()), (0, "Nothing happened.\n"));
    let (code, _, error) = call(&server, &["events", "--run", "999"]);
    assert_eq!((code, error.as_str()), (1, "perfreg: No test has the run_id 999; perfreg history lists all.\n"));
    let arguments = ["events", "--follow", "--location", "azure-k8z", "--server", &server.url];
    let mut follower = perfreg().args(arguments).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut said = String::new();
    BufReader::new(follower.stderr.take().expect("piped")).read_line(&mut said).expect("UTF-8");
    follower.kill().expect("it still follows");
    follower.wait().expect("it ends");
    assert_eq!(said, closest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_the_day_is_the_last_one_here() {
    let (server, _database) = serve().await;
    register(&server, &["--location", "azure-k8s", "--factor", "0.1"]);
    let now = perfreg::clock::now().to_zoned(jiff::tz::TimeZone::system());
    let clock = |time: &jiff::Zoned| time.strftime("%H:%M:%S").to_string();
    let before = clock(&(&now - jiff::SignedDuration::from_secs(120)));
    for command in ["events", "history"] {
        let (code, printed, error) = call(&server, &[command, "--from", &before]);
        assert!(code == 0 && printed.contains("azure-k8s"), "{printed}{error}");
    }
    let (_, printed, _) = call(&server, &["events", "--to", &before]);
    assert_eq!(printed, "Nothing happened.\n");
    let (code, _, error) = call(&server, &["cancel", "--location", "azure-k8s", "--started-before", &before]);
    assert_eq!(code, 0, "{error}");
}
