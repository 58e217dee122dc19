//! `perfreg run` around real commands, against a real server.

mod commands;
mod field;
mod maximum;
mod on_stop;
mod other_users;
mod outage;
mod real_tools;
mod remote_loads;
mod signals;
mod starting;
mod stopping;
mod terminal;
mod waiting;
mod whole_tree;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::database::{Engine, TestDatabase};
use crate::support::server::{PATIENCE, TestServer, collect, perfreg, wait_for_exit};

async fn serve() -> (TestServer, TestDatabase) {
    let database = TestDatabase::new(Engine::Sqlite).await;
    (TestServer::start(&database.url), database)
}

/// Waits until it holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `perfreg run`, with everything that it would find in the environment of a CI job.
fn run(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    let binary = perfreg();
    // Whoever started the tests may have ignored signals, which would reach the command.
    command.arg("--default-signal").arg(binary.get_program()).arg("run");
    command.args(["--repo", "shop/web", "--stream", "main", "--environment", "prod", "--triggered-by", "ana"]);
    command.args(arguments).stdin(Stdio::null()).env_clear().envs([("PERFREG_URL", url)]);
    command.envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

/// A command around which `perfreg run` runs.
struct Run {
    child: Child,
    out: Arc<Mutex<String>>,
    log: Arc<Mutex<String>>,
    mark: String,
}

impl Run {
    fn start(url: &str, arguments: &[&str]) -> Self {
        Self::start_with(run(url, arguments))
    }

    fn start_with(mut command: Command) -> Self {
        let mark = format!("PERFREG_TEST_MARK={}", uuid::Uuid::new_v4());
        let (name, value) = mark.split_once('=').expect("a variable");
        command.env(name, value).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("env is there");
        let out = collect(child.stdout.take().expect("piped"));
        let log = collect(child.stderr.take().expect("piped"));
        Self { child, out, log, mark }
    }

    fn out(&self) -> String {
        self.out.lock().expect("no panic").clone()
    }

    fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    fn until_it_prints(&self, text: &str) {
        until(&format!("{text:?} after {:?}", self.log()), || self.out().contains(text));
    }

    fn until_it_says(&self, text: &str) {
        until(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    fn signal(&self, name: &str) {
        kill(name, i64::from(self.child.id()));
    }

    /// The exit code, and what it has said by then.
    fn end(&mut self) -> (i32, String) {
        let status = wait_for_exit(&mut self.child);
        until("the end of all that could write", || Arc::strong_count(&self.log) == 1);
        (status.code().unwrap_or(-1), self.log())
    }

    /// The wrapper and everything that descends from it.
    fn processes(&self) -> Vec<i64> {
        let has_mark =
            |pid: &i64| fs::read(format!("/proc/{pid}/environ")).is_ok_and(|text| contains(&text, &self.mark));
        let entries = fs::read_dir("/proc").expect("Linux").flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(has_mark).collect()
    }

    /// The process that leads the group of the load.
    fn guard(&self) -> i64 {
        let is_guard =
            |pid: &i64| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| contains(&line, "perfreg\0guard\0"));
        self.processes().into_iter().find(is_guard).expect("it runs")
    }

    fn until_nothing_is_left(&self) {
        until("the end of all processes", || self.processes().is_empty());
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it had said {:?} and printed {:?}", self.log(), self.out());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that descends from a process, parents first.
fn descendants(ancestor: i64) -> Vec<i64> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().expect("ps runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let pairs: Vec<(i64, i64)> = text
        .lines()
        .filter_map(|line| {
            let (pid, parent) = line.trim().split_once(char::is_whitespace)?;
            Some((pid.parse().ok()?, parent.trim().parse().ok()?))
        })
        .collect();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(pairs.iter().filter(|(_, other)| *other == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

fn kill(name: &str, pid: i64) {
    let sent = Command::new("kill").args([&format!("-{name}"), "--", &pid.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

async fn execution(server: &TestServer, run_id: i64) -> Value {
    server.http().get(&format!("/executions/{run_id}")).await.json()
}

async fn status(server: &TestServer, run_id: i64) -> String {
    execution(server, run_id).await["status"].as_str().expect("a status").to_owned()
}

async fn stop(server: &TestServer, changes: Value) {
    let mut request = json!({"run_id": 1, "reason": "the database is in trouble", "by": "ben"});
    for (name, value) in changes.as_object().expect("changes are an object") {
        request[name] = value.clone();
    }
    let reply = server.http().post("/cancel", &request).await;
    assert!(reply.status.is_success(), "{}", reply.text);
}
