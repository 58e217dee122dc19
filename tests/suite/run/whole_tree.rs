//! A signal reaches every process of the load once, whatever group or session it is in.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::real_tools::{LONG, Loads, has_loaded, start, until_it_loads};
use super::{Run, descendants, serve, status, stop, until};

/// Counts what it hears for a second after the first signal.
const COUNTER: &str = "perl -e '$n = 0; $SIG{$_} = sub { $n++ } for qw(INT TERM HUP USR1); $| = 1; \
    print qq(ready\\n); select undef, undef, undef, 0.1 until $n; \
    select undef, undef, undef, 0.1 for 1 .. 10; print qq(heard $n\\n); exit 7'";

/// Programs that put a command into another group or session, or pass signals on themselves.
const LEADERS: [&str; 12] = [
    "exec timeout 600 LOAD",
    "exec timeout --foreground 600 LOAD",
    "exec setsid LOAD",
    "exec setsid --wait LOAD",
    "exec sudo -n LOAD",
    "exec tini -s -- LOAD",
    "exec tini -s -g -- LOAD",
    "exec dumb-init LOAD",
    "exec strace -f -o /dev/null LOAD",
    "exec nohup LOAD",
    "set -m; LOAD & wait; wait $!",
    "exec timeout 600 timeout 600 sudo -n setsid --wait LOAD",
];

fn start_counter(url: &str, leader: &str) -> Run {
    let script = leader.replace("LOAD", COUNTER);
    let run = Run::start(url, &["--location", "here", "--", "sh", "-c", &script]);
    run.until_it_prints("ready");
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reaches_a_command_once_whatever_leads_its_group() {
    let (server, _database) = serve().await;
    for leader in LEADERS {
        let mut run = start_counter(&server.url, leader);
        run.signal("TERM");
        let (code, log) = run.end();
        assert!(run.out().ends_with("heard 1\n"), "{leader}: {} {log}", run.out());
        // A shell with job control dies by the signal itself.
        assert!(code == 7 || (code == 143 && leader.starts_with("set -m")), "{leader}: {code} {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_reaches_a_command_once_whatever_leads_its_group() {
    let (server, _database) = serve().await;
    for (run_id, leader) in (1..).zip(LEADERS) {
        let mut run = start_counter(&server.url, leader);
        stop(&server, json!({"run_id": run_id})).await;
        let (code, log) = run.end();
        assert!(run.out().ends_with("heard 1\n"), "{leader}: {} {log}", run.out());
        assert_eq!(code, 79, "{leader}: {log}");
        assert!(log.contains(&format!("run {run_id}: cancelled after ")), "{log}");
        assert!(log.ends_with("(stopped: the database is in trouble)\n"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_somebody_sends_to_every_process_is_not_passed_on() {
    let (server, _database) = serve().await;
    for leader in ["exec LOAD", "exec setsid LOAD", "set -m; LOAD & wait; wait $!"] {
        for parents_first in [true, false] {
            let mut run = start_counter(&server.url, leader);
            let mut tree = vec![i64::from(run.child.id())];
            tree.extend(descendants(tree[0]));
            if !parents_first {
                tree.reverse();
            }
            let numbers: Vec<String> = tree.iter().map(ToString::to_string).collect();
            assert!(Command::new("kill").arg("-TERM").args(numbers).status().expect("kill runs").success());
            let (_, log) = run.end();
            assert!(run.out().ends_with("heard 1\n"), "{leader}: {} {log}", run.out());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_to_the_group_of_the_load_reaches_what_has_left_it() {
    let (server, _database) = serve().await;
    for leader in ["exec LOAD", "exec setsid LOAD", "exec timeout 600 LOAD"] {
        let mut run = start_counter(&server.url, leader);
        super::kill("TERM", -run.guard());
        let (code, log) = run.end();
        assert!(run.out().ends_with("heard 1\n"), "{leader}: {} {log}", run.out());
        assert_eq!(code, 7, "{leader}: {log}");
        assert!(log.contains("cancelled after "), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_is_passed_on_as_well() {
    let (server, _database) = serve().await;
    let mut run = start_counter(&server.url, "exec timeout 600 LOAD");
    run.signal("INT");
    tokio::time::sleep(Duration::from_millis(400)).await;
    run.signal("INT");
    let (code, log) = run.end();
    assert!(run.out().ends_with("heard 2\n"), "{} {log}", run.out());
    assert_eq!(code, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trap_starts_to_clean_up_is_left_alone() {
    let (server, _database) = serve().await;
    let cleanup = "sh -c 'trap \"echo disturbed\" TERM; sleep 1; echo clean'";
    let script = format!(
        "clean() {{ {cleanup}; exit 9; }}; trap clean TERM; setsid sleep 300 & setsid sleep 300 & echo ready; wait"
    );
    let mut run = Run::start(&server.url, &["--", "bash", "-c", &script]);
    run.until_it_prints("ready");
    run.signal("TERM");
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (9, "ready\nclean\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_prints_its_summary_whatever_leads_its_group() {
    let (server, _database) = serve().await;
    let loads = Loads::on(&server);
    let k6 = loads.k6(LONG, "count>0");
    let line = k6.join(" ");
    for (run_id, leader) in (1..).zip([
        "exec timeout 600 LOAD",
        "exec setsid LOAD",
        "exec sudo -n LOAD",
        // dash dies by the signal before k6 has written its summary.
        "LOAD; echo after",
        "LOAD | tee /dev/null",
        "exec script -qec 'exec LOAD' /dev/null",
    ]) {
        let script = leader.replace("LOAD", &line);
        let mut run = start(&server, &["sh", "-c", &script].map(str::to_owned));
        // sudo keeps the environment, by which the other tests know a process, from its command.
        until("a load by k6", || has_loaded(run.child.id(), &k6));
        run.signal("INT");
        let (code, log) = run.end();
        assert!(run.out().contains("http_req"), "{leader}: {log}{}", run.out());
        assert!(log.contains("torn down") || run.out().contains("torn down"), "{leader}: {log}");
        assert!(code == 105 || (code == 130 && leader.starts_with("LOAD")), "{leader}: {code}");
        assert_eq!(status(&server, run_id).await, "cancelled", "{leader}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_prints_its_summary_where_every_process_was_signalled() {
    let (server, _database) = serve().await;
    let loads = Loads::on(&server);
    let k6 = loads.k6(LONG, "count>0");
    let mut run = start(&server, &k6);
    until_it_loads(&run, &k6);
    let own = i64::from(run.child.id());
    let tree: Vec<String> = [vec![own], descendants(own)].concat().iter().map(ToString::to_string).collect();
    assert!(Command::new("kill").arg("-INT").args(tree).status().expect("kill runs").success());
    let (code, log) = run.end();
    assert!(run.out().contains("http_req") && log.contains("torn down"), "{log}{}", run.out());
    assert_eq!(code, 105);
}
