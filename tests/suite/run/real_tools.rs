//! `perfreg run` around k6, hey and wrk, with a server's own health check as their target.

use std::process::Command;

use serde_json::json;

use super::{Run, descendants, serve, status, stop, until};
use crate::support::server::TestServer;

/// Long enough that only a signal ends it.
pub const LONG: &str = "120";

/// What a tool that `./test` installs is called.
fn tool(name: &str) -> String {
    let variable = format!("PERFREG_TEST_{}", name.to_uppercase());
    std::env::var(&variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run ./test, which installs {name}, or set it to its path"))
}

/// A load of so many seconds, made by each of the tools.
pub struct Loads {
    folder: tempfile::TempDir,
    target: String,
}

impl Loads {
    pub fn on(server: &TestServer) -> Self {
        Self { folder: tempfile::TempDir::new().expect("a folder"), target: format!("{}/healthz", server.url) }
    }

    /// A k6 script whose threshold allows so many failed requests.
    pub fn k6(&self, seconds: &str, threshold: &str) -> Vec<String> {
        let path = self.folder.path().join("t.js");
        let target = &self.target;
        let script = format!(
            "import http from 'k6/http';\n\
             export const options = {{ vus: 1, duration: '{seconds}s', thresholds: {{ http_reqs: ['{threshold}'] }} }};\n\
             export default function () {{ http.get('{target}'); }}\n\
             export function teardown() {{ console.log('torn down'); }}\n"
        );
        std::fs::write(&path, script).expect("written");
        let path = path.display().to_string();
        [&tool("k6"), "run", "--quiet", "--address", "localhost:0", &path].map(str::to_owned).to_vec()
    }

    fn hey(&self, seconds: &str) -> Vec<String> {
        [&tool("hey"), "-z", &format!("{seconds}s"), "-c", "1", &self.target].map(str::to_owned).to_vec()
    }

    fn wrk(&self, seconds: &str) -> Vec<String> {
        [&tool("wrk"), "-t", "1", "-c", "1", "-d", &format!("{seconds}s"), &self.target].map(str::to_owned).to_vec()
    }

    fn all(&self, seconds: &str) -> [Vec<String>; 3] {
        [self.k6(seconds, "count>0"), self.hey(seconds), self.wrk(seconds)]
    }
}

pub fn start(server: &TestServer, load: &[String]) -> Run {
    let load: Vec<&str> = load.iter().map(String::as_str).collect();
    Run::start(&server.url, &[&["--location", "here", "--factor", "0.1", "--"], &load[..]].concat())
}

/// Waits until the tool itself has run for a moment; its own handlers are there then.
pub fn until_it_loads(run: &Run, load: &[String]) {
    until(&format!("a load by {load:?}"), || run.processes().into_iter().any(|pid| makes_load(pid, load)));
}

/// Whether a tool that descends from this process has run for a moment.
pub fn has_loaded(ancestor: u32, load: &[String]) -> bool {
    descendants(ancestor.into()).into_iter().any(|pid| makes_load(pid, load))
}

fn makes_load(pid: i64, load: &[String]) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<u64> = stat.split_whitespace().skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    let is_tool = std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path.ends_with(name(load)));
    // In hundredths of a second of processor time.
    is_tool && fields.iter().sum::<u64>() > 15
}

fn name(load: &[String]) -> &std::ffi::OsStr {
    std::path::Path::new(&load[0]).file_name().expect("a program")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tool_succeeds() {
    let (server, _database) = serve().await;
    for (run_id, load) in (1..).zip(Loads::on(&server).all("1")) {
        let mut run = start(&server, &load);
        let (code, log) = run.end();
        assert_eq!(code, 0, "{load:?}: {log}{}", run.out());
        assert_eq!(status(&server, run_id).await, "success", "{load:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_that_fails_is_a_failure_with_the_code_of_k6() {
    let (server, _database) = serve().await;
    let (code, log) = start(&server, &Loads::on(&server).k6("1", "count<0")).end();
    assert_eq!(code, 99, "{log}");
    assert_eq!(status(&server, 1).await, "failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigint_lets_each_tool_print_its_summary() {
    let (server, _database) = serve().await;
    let loads = Loads::on(&server);
    // k6 has a code for it; hey and wrk call it a success to be interrupted.
    let expected = [("http_req", 105, "cancelled"), ("Summary", 0, "success"), ("Requests/sec", 0, "success")];
    for ((run_id, load), (summary, expected, outcome)) in (1..).zip(loads.all(LONG)).zip(expected) {
        let mut run = start(&server, &load);
        until_it_loads(&run, &load);
        run.signal("INT");
        let (code, log) = run.end();
        assert_eq!(code, expected, "{load:?}: {log}{}", run.out());
        assert!(run.out().contains(summary), "{load:?}: {}", run.out());
        assert_eq!(status(&server, run_id).await, outcome, "{load:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_stops_each_tool() {
    let (server, _database) = serve().await;
    for (run_id, load) in (1..).zip(Loads::on(&server).all(LONG)) {
        let mut run = start(&server, &load);
        until_it_loads(&run, &load);
        stop(&server, json!({"run_id": run_id})).await;
        let (code, log) = run.end();
        assert_eq!(code, 79, "{load:?}: {log}");
        assert_eq!(status(&server, run_id).await, "cancelled", "{load:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tool_goes_on_while_the_server_is_restarted() {
    let (target, _target_database) = serve().await;
    // wrk takes so little of a busy machine that it needs a while to be seen.
    for load in Loads::on(&target).all("6") {
        let (mut server, database) = serve().await;
        let mut run = start(&server, &load);
        until_it_loads(&run, &load);
        server.kill();
        run.until_it_says("the load goes on, and it is tried again");
        let server = TestServer::start_on(server.port(), &database.url);
        let (code, log) = run.end();
        assert_eq!(code, 0, "{load:?}: {log}{}", run.out());
        assert_eq!(status(&server, 1).await, "success", "{load:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tool_dies_with_a_wrapper_that_is_killed() {
    let (server, _database) = serve().await;
    for load in Loads::on(&server).all(LONG) {
        let run = start(&server, &load);
        until_it_loads(&run, &load);
        run.signal("KILL");
        run.until_nothing_is_left();
        // In a shell that has others beside it, too.
        let line = format!("{} & sleep 300 & wait", load.join(" "));
        let shell = ["sh", "-c", &line].map(str::to_owned);
        let run = start(&server, &shell);
        until_it_loads(&run, &load);
        run.signal("KILL");
        run.until_nothing_is_left();
    }
}

#[test]
fn the_tools_are_the_real_ones() {
    for (name, argument, words) in [("k6", "version", "k6 v"), ("hey", "-h", "-z"), ("wrk", "-v", "wrk ")] {
        let output = Command::new(tool(name)).arg(argument).output().expect("it starts");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(text.contains(words), "{name}: {text}");
    }
}
