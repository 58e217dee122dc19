//! What the command line tells of who holds a location, who waits, and what became of a run.

use serde_json::{Value, json};

use super::{call, register, serve};
use crate::support::http::example;

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_what_runs_who_waits_and_what_is_closed() {
    let (server, _database) = serve().await;
    register(&server, &["--location", "azure-k8s", "--expected", "30m", "--factor", "0.6"]);
    let waiter = json!({"factor": 0.5, "wait_seconds": 3_600, "test": "search"});
    assert_eq!(server.http().post("/register", &example(waiter)).await.status, 202);
    let drain = ["locations", "set", "lab", "--state", "draining", "--reason", "upgrade", "--by", "ops"];
    let (code, _, error) = call(&server, &drain);
    assert!(code == 1 && error.contains("No test has used the location lab"), "a new location is closed: {error}");
    assert_eq!(call(&server, &[&drain[..], &["--capacity", "1"]].concat()).0, 0);
    let (code, printed, _) = call(&server, &["status"]);
    assert_eq!(code, 0);
    let words = |start: &str| -> Vec<String> {
        let line = printed.lines().find(|line| line.trim_start().starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in {printed}")).split_whitespace().map(str::to_owned).collect()
    };
    assert!(printed.starts_with("lab is draining: upgrade, by ops.\n"), "{printed}");
    assert_eq!(words("1 ")[..6], ["1", "azure-k8s", "0.6", "load", "myrepo", "user1"]);
    assert_eq!(words("2 ")[..7], ["2", "azure-k8s", "0.5", "search", "myrepo", "user1", "1"]);
    assert!(printed.contains("in 29m") || printed.contains("in 30m"), "{printed}");

    let (_, one, _) = call(&server, &["status", "--location", "azure-k8s"]);
    assert!(one.starts_with("azure-k8s: 0.6 of 1 used by 1 run, 0.4 free; 1 waiting.\n\nRUN  LOCATION"), "{one}");
    let (_, waiter, _) = call(&server, &["show", "2"]);
    assert!(waiter.contains("\n  its turn      position 1, starts in "), "{waiter}");
    let (code, _, error) = call(&server, &["status", "--location", "azure-k8z"]);
    assert_eq!(code, 1);
    assert!(error.contains("The closest to it is azure-k8s"), "{error}");
    let (_, json, _) = call(&server, &["status", "--location", "azure-k8s", "--json"]);
    let board: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(board["locations"][0]["runs"][0]["run_id"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn show_tells_what_a_run_is_beside_whom_it_ran_and_what_happened_to_it() {
    let (server, _database) = serve().await;
    let here = |test: &str| example(json!({"factor": 0.4, "test": test}));
    for test in ["soak", "search"] {
        assert_eq!(server.http().post("/register", &here(test)).await.status, 200);
    }
    call(&server, &["complete", "1", "failure"]);
    let (code, printed, _) = call(&server, &["show", "1"]);
    assert_eq!(code, 0);
    assert!(printed.starts_with("Run 1: soak, failure 0s\n"), "{printed}");
    assert!(printed.contains("\n  location      azure-k8s, factor 0.4\n"), "{printed}");
    assert!(printed.contains("\nBeside it at azure-k8s:\nRUN  TEST    REPO"), "{printed}");
    assert!(printed.lines().any(|line| line.starts_with("  2  search")), "{printed}");
    assert!(printed.contains("Z  run 1 started at azure-k8s with 0.4 of 1, alone\n"), "{printed}");
    assert!(printed.ends_with("Z  run 1 failed after 0s (azure-k8s)\n"), "{printed}");

    let (_, json, _) = call(&server, &["show", "2", "--json"]);
    let told: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&told["execution"]["run_id"], &told["neighbours"]["more"]), (&json!(2), &json!(false)));
    assert_eq!(told["events"]["events"][0]["kind"], "started");
    let (code, _, error) = call(&server, &["show", "99"]);
    assert_eq!((code, error.as_str()), (1, "perfreg: No test has the run_id 99; perfreg history lists all.\n"));
    let words = "perfreg: Running test not found; perfreg status lists what runs, and perfreg history what ran.\n";
    for command in [&["complete", "99", "success"][..], &["cancel", "99"]] {
        let (code, _, error) = call(&server, command);
        assert_eq!((code, error.as_str()), (1, words));
    }
}
