//! The real binary, serving on a free port.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::database::TestDatabase;
use super::http::Http;

/// The longest any test waits for something that is bound to happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct TestServer {
    pub url: String,
    child: Child,
    log: Arc<Mutex<String>>,
    /// What the log comes through, to see whether some of it is still in there.
    pipe: Option<OwnedFd>,
}

pub fn perfreg() -> Command {
    program(Path::new(env!("CARGO_BIN_EXE_perfreg")))
}

pub fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    // What the machine, or its CI system, says must not reach a test.
    let is_ours = |name: &str| !["PATH", "HOME", "PERFREG_SEEDED_BUG"].contains(&name);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_none_or(is_ours)) {
        command.env_remove(name);
    }
    command
}

impl TestServer {
    /// Starts a server and waits until it has announced itself.
    pub fn start(database_url: &str) -> Self {
        Self::start_with(perfreg().args(["serve", "--listen", "127.0.0.1:0", "--database", database_url]))
    }

    /// Two servers on one database, or the one that a SQLite file has, which then is both.
    pub fn start_two(database: &TestDatabase) -> (Arc<Self>, Arc<Self>) {
        let first = Arc::new(Self::start(&database.url));
        let is_shared = !database.url.starts_with("sqlite:");
        let second = if is_shared { Arc::new(Self::start(&database.url)) } else { Arc::clone(&first) };
        (first, second)
    }

    /// As [`Self::start`], on a port that was used before.
    pub fn start_on(port: u16, database_url: &str) -> Self {
        let listen = format!("127.0.0.1:{port}");
        Self::start_with(perfreg().args(["serve", "--listen", &listen, "--database", database_url]))
    }

    /// As [`Self::start`], for a whole `serve` command.
    pub fn start_with(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("piped");
        let pipe = stderr.as_fd().try_clone_to_owned().expect("another descriptor");
        Self::announced(child, collect(stderr), Some(pipe))
    }

    /// As [`Self::start`], but whoever would read the log has gone.
    pub fn start_without_log(database_url: &str) -> Self {
        let mut command = perfreg();
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", database_url]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        drop(child.stderr.take());
        Self::announced(child, Arc::default(), None)
    }

    fn announced(mut child: Child, log: Arc<Mutex<String>>, pipe: Option<OwnedFd>) -> Self {
        let mut announced = BufReader::new(child.stdout.take().expect("piped")).lines();
        let url = announced.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once("Running tests  ")?;
            Some(address.trim_end_matches("status-html").trim_end_matches('/').to_owned())
        });
        // Reads on, so that the server never writes into a closed pipe.
        thread::spawn(move || announced.for_each(drop));
        let Some(url) = url else {
            panic!("the server did not start: {}", log.lock().expect("no panic while logging"));
        };
        Self { url, child, log, pipe }
    }

    pub fn http(&self) -> Http {
        Http::new(&self.url)
    }

    pub fn port(&self) -> u16 {
        let (_, port) = self.url.rsplit_once(':').expect("a port");
        port.parse().expect("a number")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything the server has logged so far, also what nobody has read yet.
    pub fn log(&self) -> String {
        let unread =
            || self.pipe.as_ref().is_some_and(|pipe| rustix::io::ioctl_fionread(pipe).is_ok_and(|bytes| bytes > 0));
        let give_up = Instant::now() + PATIENCE;
        while unread() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(1));
        }
        // What was taken out of the pipe a moment ago is being added.
        thread::sleep(Duration::from_millis(2));
        self.log.lock().expect("no panic while logging").clone()
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        wait_for_exit(&mut self.child)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait_for_exit(child: &mut Child) -> ExitStatus {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            return status;
        }
        assert!(Instant::now() < give_up, "the process does not end");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Reads on in the background, so that nobody ever writes into a full pipe.
pub fn collect(mut stream: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let writer = Arc::clone(&log);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            writer.lock().expect("no panic while logging").push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    log
}

/// The most memory the process has held at once, in bytes, as Linux counts it.
pub fn peak_memory_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024
}
