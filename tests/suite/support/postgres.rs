//! PostgreSQL servers of a test's own, which can be killed, and standbys of them.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use super::server::PATIENCE;

/// A server that dies with its test.
pub struct PostgresServer {
    pub port: u16,
    _directory: TempDir,
    process: Child,
}

/// A program of PostgreSQL, which refuses to run as root, and ends with the test.
fn program(name: &str) -> Command {
    let bin = std::env::var("PERFREG_TEST_POSTGRES_BIN").expect(
        "PERFREG_TEST_POSTGRES_BIN is not set: run ./test, which sets it, or set it to the folder of initdb and postgres",
    );
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg(PathBuf::from(bin).join(name)).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command
}

fn directory() -> TempDir {
    let directory = TempDir::new().expect("a folder");
    if geteuid().is_root() {
        let given = Command::new("chown").arg("postgres").arg(directory.path()).status();
        assert!(given.expect("chown runs").success());
    }
    directory
}

fn run(command: &mut Command) {
    let status = command.status().expect("PostgreSQL's programs are there");
    assert!(status.success(), "{command:?}: {status}");
}

impl PostgresServer {
    pub async fn start() -> Self {
        let directory = directory();
        let data = directory.path().join("data");
        run(program("initdb").arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]));
        Self::serve(directory).await
    }

    /// A standby that has all there is, and is sent what comes.
    pub async fn standby(&self) -> Self {
        let directory = directory();
        let data = directory.path().join("data");
        let port = self.port.to_string();
        let copy = ["-R", "-X", "stream", "-c", "fast", "-h", "127.0.0.1", "-U", "postgres", "-p", &port];
        run(program("pg_basebackup").arg("-D").arg(&data).args(copy));
        Self::serve(directory).await
    }

    async fn serve(directory: TempDir) -> Self {
        let port = free_port();
        let process = Self::spawn(directory.path(), port);
        let server = Self { port, _directory: directory, process };
        server.connect().await;
        server
    }

    fn spawn(directory: &Path, port: u16) -> Child {
        let mut postgres = program("postgres");
        postgres.arg("-D").arg(directory.join("data")).arg("-k").arg(directory).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=60", "wal_level=replica"] {
            postgres.args(["-c", setting]);
        }
        postgres.spawn().expect("PostgreSQL starts")
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of a database that is on one of the servers, whichever can be written to.
    pub fn url_of(servers: &[&Self]) -> String {
        let addresses: Vec<String> = servers.iter().map(|server| server.address()).collect();
        format!("postgresql://postgres@{}/postgres", addresses.join(","))
    }

    /// Waits until it answers.
    pub async fn connect(&self) -> Client {
        let give_up = Instant::now() + PATIENCE;
        loop {
            match tokio_postgres::connect(&Self::url_of(&[self]), NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return client;
                }
                Err(error) => assert!(Instant::now() < give_up, "PostgreSQL does not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a standby has everything that its primary has.
    pub async fn catch_up_with(&self, primary: &Self) {
        let row = primary.connect().await.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.expect("an answer");
        let position: &str = row.get(0);
        self.wait_until(&format!("SELECT pg_last_wal_replay_lsn() >= '{position}'")).await;
    }

    /// Lets a standby hear nothing more of its primary.
    pub async fn stop_following(&self) {
        let client = self.connect().await;
        for statement in ["ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"] {
            client.simple_query(statement).await.expect("a setting");
        }
        self.wait_until("SELECT count(*) = 0 FROM pg_stat_wal_receiver").await;
    }

    /// Lets a standby take over.
    pub async fn promote(&self) {
        self.wait_until("SELECT pg_promote()").await;
    }

    async fn wait_until(&self, question: &str) {
        let client = self.connect().await;
        let give_up = Instant::now() + PATIENCE;
        while !client.query_one(question, &[]).await.expect("an answer").get::<_, bool>(0) {
            assert!(Instant::now() < give_up, "{question}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the server and everything that it has started, all at once.
    pub fn kill(&mut self) {
        let main = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default();
        let _ = self.process.kill();
        let _ = self.process.wait();
        for child in children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            let _ = kill_process(child, Signal::KILL);
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
