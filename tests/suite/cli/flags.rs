//! What the command line judges by itself, and what it fills in.

use serde_json::Value;

use super::{call, register, run, serve};
use crate::support::server::{TestServer, perfreg};

/// Nobody answers there, so an exit code 2 says that nobody was asked.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn what_can_be_seen_to_be_wrong_is_refused_before_anybody_is_asked() {
    let test = ["--repo", "r", "--stream", "s", "--test", "t", "--location", "here"];
    let register = |more: &[&'static str]| [&["register"], &test[..], more].concat();
    for (arguments, words) in [
        (register(&["--factor", "half"]), "\"half\" is no factor; give a decimal such as 0.5"),
        (register(&["--factor", "-0.1"]), "a factor is not negative"),
        (register(&["--factor", "0.0000001"]), "with at most six digits after the point"),
        (register(&["--lease", "5s", "--json"]), "it must be from 10s to 1h"),
        (register(&["--wait", "2d"]), "it must be from 0s to 24h"),
        (register(&["--wait", "soon"]), "\"soon\" is no duration; give one such as 90s"),
        (register(&["--expected", "0s"]), "it must be from 1s to 7d"),
        (register(&["--priority", "10"]), "10 is not in 0..=9"),
        (register(&["--extra", "workers"]), "a further field is given as NAME=VALUE"),
        (register(&["--extra", "factor=0.5"]), "factor has a flag of its own; give --factor"),
        (register(&["--dashboard-url", "job/7"]), "give a link that begins with http:// or https://"),
        (vec!["run", "--lease", "2h", "--", "true"], "it must be from 10s to 1h"),
        (vec!["history", "--status", "done"], "possible values: queued, running, success, failure, cancelled"),
        (vec!["history", "--limit", "0"], "0 is not in 1..=1000"),
        (vec!["history", "--from", "yesterday"], "\"yesterday\" is no time; give one with its zone"),
        (vec!["history", "--cursor", "7"], "give what the page before printed behind --cursor"),
        (
            vec!["history", "--from", "2026-11-23", "--to", "2026-11-22"],
            "--from is 2026-11-23T00:00:00Z, which is after",
        ),
        (vec!["events", "--from", "1h", "--to", "2h"], "give an earlier --from, or a later --to"),
        (vec!["events", "--cursor", "7"], "give what the page before printed behind --cursor"),
        (vec!["cancel", "--location", "here", "--started-before", "2pm"], "a time of the day such as 14:03"),
        (vec!["events", "--kind", "started,nothing"], "possible values: queued, started,"),
        (vec!["events", "--limit", "1001"], "1001 is not in 1..=1000"),
        (vec!["complete", "seven", "success"], "\"seven\" is no run; give its number, such as 7"),
        (vec!["complete", "7", "finished"], "\"finished\" is no end; give success, failure or cancelled"),
        (vec!["cancel", "7.5"], "\"7.5\" is no run"),
        (vec!["wait", "7", "--timeout", "-5"], "unexpected argument '-5' found\n\nUsage: "),
        (vec!["locations", "set", "here"], "--capacity <N>|--state <STATE>"),
        (vec!["locations", "set", "here", "--capacity", "0"], "give a decimal above 0 and up to 1000"),
        (vec!["locations", "set", "here", "--state", "draining"], "--reason <TEXT>"),
        (vec!["locations", "set", "here", "--capacity", "1", "--until", "2h"], "--state <STATE>"),
        (vec!["registry", "set", "--state", "stopped"], "--reason <TEXT>"),
        (
            vec!["registry", "set", "--state", "draining", "--reason", "r", "--until", "4pm"],
            "\"4pm\" is no time; give how",
        ),
        (
            vec!["registry", "set", "--state", "draining", "--reason", "r", "--until", "2020-01-01 10:00"],
            "is over; give",
        ),
    ] {
        let (code, printed, error) = run(&if arguments.contains(&"--") {
            arguments.clone()
        } else {
            [&arguments[..], &["--server", NOBODY]].concat()
        });
        assert_eq!(code, 2, "{arguments:?}: {error}");
        assert!(error.contains(words), "{words:?} in {error:?}");
        assert!(
            !error.contains("Usage:") || !error.contains("--server <URL>"),
            "nothing but what is required: {error}"
        );
        assert!(printed.is_empty() || arguments.contains(&"--json"), "{printed}");
    }
    let wrong = perfreg().args(register(&[])).env("PERFREG_FACTOR", "0,5").output().expect("the binary starts");
    let error = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{error}");
    assert!(error.contains("PERFREG_FACTOR is wrong: \"0,5\" is no factor;"), "{error}");
}

/// The one document that was printed, and the exit code.
fn problem(arguments: &[&str]) -> (i32, Value) {
    let (code, printed, error) = run(arguments);
    assert_eq!(printed.lines().count(), 1, "{arguments:?}: {printed}{error}");
    assert!(!error.is_empty(), "a person is told as well");
    (code, serde_json::from_str(&printed).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_json_what_went_wrong_is_a_document_as_well() {
    let (server, _database) = serve().await;
    let url = server.url.as_str();
    for (arguments, expected_code) in [
        (&["wait", "999"][..], 1),
        (&["complete", "999", "success"], 1),
        (&["cancel", "999"], 1),
        (&["history", "--stream", &"x".repeat(600)], 1),
        (&["locations", "delete", "nowhere"], 1),
        (&["locations", "set", "..", "--capacity", "1"], 1),
        (&["events", "--location", "x", "--follow", "--cursor", "7"], 2),
    ] {
        let (code, document) = problem(&[arguments, &["--json", "--url", url]].concat());
        assert_eq!(code, expected_code, "{arguments:?}");
        let kind = document["type"].as_str().expect("a type");
        let is_of_registry = kind.starts_with("urn:perfreg:problem:");
        assert_eq!((is_of_registry, document["status"].is_number()), (code == 1, code == 1), "{document}");
        assert_eq!(document["detail"], document["message"]);
    }
    let kind = |arguments: &[&str]| {
        let (code, document) = problem(arguments);
        assert!(document["title"].is_string() && document["detail"].is_string() && document["status"].is_null());
        let kind = document["type"].as_str().expect("a type");
        (code, kind.strip_prefix("urn:perfreg:client:").expect("made by the client").to_owned())
    };
    assert_eq!(kind(&["status", "--json", "--url", NOBODY]), (69, "unreachable".to_owned()));
    assert_eq!(kind(&["status", "--json", "--url", "localhost:8000"]), (2, "usage".to_owned()));
    assert_eq!(kind(&["status", "--json", "--url", &format!("{url}/api")]), (78, "setup".to_owned()));
    assert_eq!(kind(&["wait", "x", "--json"]), (2, "usage".to_owned()));
    let (_, document) = problem(&["wait", "x", "--json"]);
    let detail = "invalid value 'x' for '<RUN_ID>': \"x\" is no run; give its number, such as 7; perfreg status has those \
                  that run";
    assert_eq!(document["detail"], detail);
}

fn by_of_last_event(server: &TestServer, kind: &str) -> Value {
    let (_, json, error) = call(server, &["events", "--kind", kind, "--limit", "1", "--json"]);
    let events: Value = serde_json::from_str(&json).unwrap_or_else(|_| panic!("{error}"));
    events["events"][0]["by"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_it_is_found_as_run_finds_who_started_a_test() {
    let (server, _database) = serve().await;
    register(&server, &["--location", "here", "--factor", "0.1"]);
    let set = ["registry", "set", "--state", "draining", "--reason", "release"];
    for (arguments, kind) in [
        (&["locations", "set", "old", "--capacity", "2"][..], "location_set"),
        (&["locations", "merge", "old", "here"], "location_merged"),
        (&["locations", "set", "unused", "--capacity", "2"], "location_set"),
        (&["locations", "delete", "unused"], "location_deleted"),
        (&set, "registry_set"),
        (&["cancel", "1"], "ended"),
    ] {
        let mut command = perfreg();
        command.args(arguments).args(["--server", &server.url]);
        let output = command.envs([("GITLAB_CI", "true"), ("GITLAB_USER_LOGIN", "ana")]).output().expect("it starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(by_of_last_event(&server, kind), "ana", "{arguments:?}");
    }
    for (variable, name) in [("USER", "ben"), ("PERFREG_TRIGGERED_BY", "nightly")] {
        let mut command = perfreg();
        command.args(set).args(["--server", &server.url]).env("USER", "ben").env(variable, name);
        assert!(command.status().expect("it starts").success());
        assert_eq!(by_of_last_event(&server, "registry_set"), name);
    }
    call(&server, &[&set[..], &["--by", "cleo"]].concat());
    assert_eq!(by_of_last_event(&server, "registry_set"), "cleo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_opens_after_a_while_or_at_a_time_of_the_day() {
    let (server, _database) = serve().await;
    let set = |until: &str| {
        let drained = ["registry", "set", "--state", "draining", "--reason", "release", "--json", "--until", until];
        let (code, json, error) = call(&server, &drained);
        assert_eq!(code, 0, "{error}");
        let gate: Value = serde_json::from_str(&json).expect("JSON");
        gate["until"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time")
    };
    let hours = |until: jiff::Timestamp| until.duration_since(perfreg::clock::now()).as_secs_f64() / 3_600.0;
    assert!((1.9..=2.0).contains(&hours(set("2h"))));
    assert!((0.0..=24.0).contains(&hours(set("16:00"))));
    assert_eq!(set("2999-01-01T00:00:00Z").to_string(), "2999-01-01T00:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_needs_a_location_and_a_factor_only() {
    let (server, _database) = serve().await;
    register(&server, &["--location", "here", "--factor", "0.6"]);
    let plan = |factor: &str| {
        let mut command = perfreg();
        command.args(["plan", "--location", "here", "--factor", factor, "--url", &server.url]);
        // Outside of any working copy, nothing says a repo or a stream.
        let output = command.current_dir("/").output().expect("it starts");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let fits = "It would start now.\nThe largest factor that would start now: 0.399999.\n";
    assert_eq!(plan("0.3"), (Some(0), fits.to_owned()));
    let (code, told) = plan("0.5");
    assert!(code == Some(75) && told.starts_with("It would not start now: 0.6 runs at here"), "{told}");
}

#[test]
fn a_reason_or_a_time_beside_open_is_refused_before_the_registry_is_asked() {
    for set in [&["registry", "set"][..], &["locations", "set", "lab"]] {
        for flag in [["--reason", "done"], ["--until", "2h"]] {
            let (code, _, error) = run(&[set, &["--state", "open"], &flag].concat());
            assert_eq!(code, 2, "{error}");
            let words = format!("{} says nothing of --state open; leave it out", flag[0]);
            assert!(error.contains(&words), "{words} in {error}");
        }
    }
}
