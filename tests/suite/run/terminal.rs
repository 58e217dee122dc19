//! `perfreg run` on a terminal.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use reqwest::Method;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;

use super::real_tools::{LONG, Loads, has_loaded};
use super::{run, serve, status, until};
use crate::support::server::{TestServer, collect, perfreg, wait_for_exit};

/// A person's terminal, with a shell that has a job to do in it.
struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<String>>,
    shell: Child,
}

impl Terminal {
    /// Runs a script in a session of its own, whose terminal this is.
    fn start(script: &str, environment: &Command) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keyboard).and_then(|()| unlockpt(&keyboard)).expect("its other side");
        let name = ptsname(&keyboard, Vec::new()).expect("its name").into_string().expect("UTF-8");
        let mut open = File::options();
        let side = open.read(true).write(true).custom_flags(rustix::fs::OFlags::NOCTTY.bits().cast_signed());
        let side = || Stdio::from(side.open(&name).expect("it is there"));
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "sh", "-c", script]).env_clear().env("TERM", "xterm");
        command.envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let shell = command.stdin(side()).stdout(side()).stderr(side()).spawn().expect("util-linux is there");
        let keyboard = File::from(keyboard);
        Self { screen: collect(keyboard.try_clone().expect("a handle")), keyboard, shell }
    }

    /// Runs `perfreg run` around a script, and then asks who has the keyboard.
    fn run(server: &TestServer, script: &str) -> Self {
        let mut command = run(&server.url, &[]);
        command.env("SCRIPT", script);
        let arguments: Vec<_> = command.get_args().map(|text| text.to_string_lossy().into_owned()).collect();
        let line = format!("{} -- sh -c \"$SCRIPT\"", arguments.join(" "));
        Self::start(&format!("env {line}; echo code $?; read line; echo the shell read $line"), &command)
    }

    fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("a terminal");
    }

    fn until_it_shows(&self, text: &str) {
        until(&format!("{text:?} on the screen"), || self.screen.lock().expect("no panic").contains(text));
    }

    /// The shell is in the foreground again, or it could not read.
    fn end(mut self, code: &str) {
        self.until_it_shows(code);
        self.type_in("more\n");
        self.until_it_shows("the shell read more");
        assert!(wait_for_exit(&mut self.shell).success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_can_read_from_the_terminal() {
    let (server, _database) = serve().await;
    let mut terminal = Terminal::run(&server, "echo ready; read line; echo the load read $line");
    terminal.until_it_shows("ready");
    terminal.type_in("this\n");
    terminal.until_it_shows("the load read this");
    terminal.end("code 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_reaches_the_command_once_and_cancels_the_run() {
    let (server, _database) = serve().await;
    let script = "trap 'echo interrupted; count=x$count' INT; echo ready; sleep 300; echo count$count; exit 9";
    let mut terminal = Terminal::run(&server, script);
    terminal.until_it_shows("ready");
    terminal.type_in("\u{3}");
    terminal.until_it_shows("interrupted");
    terminal.until_it_shows("countx\r\n");
    terminal.end("code 9");
    assert_eq!(status(&server, 1).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_reaches_a_command_that_has_left_the_group_of_the_terminal() {
    let (server, _database) = serve().await;
    let loads = Loads::on(&server);
    let k6 = loads.k6(LONG, "count>0");
    for leader in ["timeout 600", "setsid --wait"] {
        let mut terminal = Terminal::run(&server, &format!("exec {leader} {}", k6.join(" ")));
        until("a load by k6", || has_loaded(terminal.shell.id(), &k6));
        terminal.type_in("\u{3}");
        terminal.until_it_shows("http_req");
        terminal.end("code 105");
    }
    assert_eq!(status(&server, 2).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_z_does_not_suspend_a_load() {
    let (server, _database) = serve().await;
    let mut terminal = Terminal::run(&server, "echo ready; read line; echo the load read $line");
    terminal.until_it_shows("ready");
    terminal.type_in("\u{1a}");
    terminal.until_it_shows("cannot be suspended");
    terminal.type_in("on\n");
    terminal.until_it_shows("the load read on");
    terminal.end("code 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_sees_one_line_that_is_redrawn_and_begins_with_its_start() {
    let (server, _database) = serve().await;
    server.http().admit(json!({"location": "here", "factor": 0.9, "expected_seconds": 3600})).await;
    let command = run(&server.url, &["--location", "here", "--factor", "0.5", "--wait", "1h", "--", "true"]);
    let arguments: Vec<_> = command.get_args().map(|text| text.to_string_lossy().into_owned()).collect();
    let terminal = Terminal::start(&format!("stty cols 80; env {}; echo code $?", arguments.join(" ")), &command);
    let line = "\r\u{1b}[Kperfreg: run 2 waits at position 1, starts in 59m (";
    until("the second line", || terminal.screen.lock().expect("no panic").matches(line).count() > 1);
    terminal.until_it_shows("); run 1 (load by");
    server.http().post("/complete", &json!({"run_id": 1, "status": "success"})).await;
    terminal.until_it_shows("\r\u{1b}[Kperfreg: run 2 may start at here (0.5 of 1): ");
    terminal.until_it_shows("code 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_shows_what_runs_and_waits_before_many_locations_until_ctrl_c() {
    let (server, _database) = serve().await;
    let http = server.http();
    http.admit(json!({"location": "here", "factor": 0.9, "test": "checkout"})).await;
    let waiter = json!({"location": "here", "factor": 0.5, "test": "soak", "wait_seconds": 600});
    http.post("/register", &crate::support::http::example(waiter)).await;
    for number in 0..40 {
        http.send(Method::PUT, &format!("/locations/farm{number}"), &json!({"capacity": 1})).await;
    }
    let draining = json!({"state": "draining", "reason": "release", "by": "ben"});
    http.send(Method::PUT, "/locations/a-farm", &draining).await;
    let mut command = perfreg();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("PERFREG_URL", &server.url);
    let binary = command.get_program().to_string_lossy().into_owned();
    // The shell, which Ctrl-C reaches as well, is to go on.
    let script = format!("trap : INT; stty cols 200 rows 20; {binary} watch; echo code $?");
    let mut terminal = Terminal::start(&script, &command);
    for text in ["\u{1b}[?1049h", "checkout", "soak", "here", "draining: release, by ben"] {
        terminal.until_it_shows(text);
    }
    http.post("/complete", &json!({"run_id": 1, "status": "success"})).await;
    terminal.until_it_shows("Nothing waits.");
    terminal.type_in("\u{3}");
    terminal.until_it_shows("\u{1b}[?1049l");
    terminal.until_it_shows("code 0");
}

#[test]
fn help_and_logs_have_colors_only_on_a_terminal_that_wants_them() {
    let binary = env!("CARGO_BIN_EXE_perfreg");
    let log = format!("{binary} serve --listen 127.0.0.1:0 --database sqlite:/nowhere/perfreg.db");
    for script in [format!("{binary} run --help"), log] {
        for (name, value, has_colors) in [
            ("HOME", "/", true),
            ("NO_COLOR", "", true),
            ("NO_COLOR", "0", false),
            ("TERM", "dumb", false),
            ("CI", "true", false),
            ("BUILDKITE", "true", false),
        ] {
            let mut environment = Command::new("true");
            environment.env(name, value);
            let mut terminal = Terminal::start(&format!("{script}; echo the end"), &environment);
            terminal.until_it_shows("the end");
            wait_for_exit(&mut terminal.shell);
            let screen = terminal.screen.lock().expect("no panic");
            assert_eq!(screen.contains("\u{1b}["), has_colors, "{name}={value}: {screen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentences_and_tables_fit_a_terminal_that_is_none_of_a_job() {
    let (server, _database) = serve().await;
    let http = server.http();
    let drained = json!({"state": "draining", "reason": "a release-of-the-whole-shop and its search", "by": "ana"});
    http.send(Method::PUT, "/registry", &drained).await;
    let binary = env!("CARGO_BIN_EXE_perfreg");
    let script = format!(
        "stty cols 40; {binary} registry; {binary} status; {binary} plan --location here --factor 0.5; {binary} locations set a-farm-with-a-long-name \
         --capacity 1; echo the end"
    );
    let lines = |name: &str, value: &str| {
        let mut environment = Command::new("true");
        environment.env("PERFREG_URL", &server.url).env(name, value);
        let mut terminal = Terminal::start(&script, &environment);
        terminal.until_it_shows("the end");
        wait_for_exit(&mut terminal.shell);
        let screen = terminal.screen.lock().expect("no panic").clone();
        screen.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
    };
    let fitting = lines("HOME", "/");
    assert_eq!(fitting[..2], ["The registry is draining: a", "release-of-the-whole-shop and its"]);
    assert!(fitting.iter().any(|line| line == "the registry is draining: a"), "{fitting:?}");
    assert!(fitting.iter().all(|line| line.chars().count() <= 40), "{fitting:?}");
    for (name, value) in [("TERM", "dumb"), ("CI", "true")] {
        let whole = lines(name, value);
        assert_eq!(whole[0], "The registry is draining: a release-of-the-whole-shop and its search, by ana.", "{name}");
        assert!(whole.iter().any(|line| line.starts_with("LOCATION") && line.contains("STATE")), "{whole:?}");
        assert!(whole.iter().any(|line| line.starts_with("a-farm-with-a-long-name ")), "{whole:?}");
    }
}
