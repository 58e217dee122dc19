//! A PostgreSQL with standbys, each server killed and started at will.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use super::server::PATIENCE;

/// The name under which standbys report to their primary.
pub const STANDBY: &str = "standby";

/// One server of the cluster; it goes with its directory when it is dropped.
pub struct Node {
    pub port: u16,
    directory: TempDir,
    process: Option<Child>,
}

impl Node {
    /// A new cluster's first server.
    pub async fn primary() -> Self {
        let mut node = Self::empty();
        let mut initdb = program("initdb");
        run(initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D"]).arg(node.data()));
        node.start().await;
        node
    }

    /// A copy of this server, which follows it.
    pub async fn standby(&self) -> Self {
        let mut node = Self::empty();
        let primary = format!("host=127.0.0.1 port={} user=postgres application_name={STANDBY}", self.port);
        let mut copy = program("pg_basebackup");
        run(copy
            .args(["--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "-d", &primary, "-D"])
            .arg(node.data()));
        node.start().await;
        node
    }

    fn empty() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        if let Some((user, group)) = postgres_user() {
            chown(directory.path(), Some(user), Some(group)).expect("root may");
        }
        fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).expect("it is ours");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        Self { port, directory, process: None }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) {
        let give_up = Instant::now() + PATIENCE;
        loop {
            // Right after a kill the old one's processes may still be there, and it refuses.
            if self.process.as_mut().is_none_or(|process| process.try_wait().expect("it is ours").is_some()) {
                self.process = Some(self.spawn());
            }
            if try_connect(&self.url()).await.is_ok() {
                return;
            }
            let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < give_up, "PostgreSQL does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn spawn(&self) -> Child {
        let log = fs::File::create(self.directory.path().join("log")).expect("a log");
        let mut server = program("postgres");
        server.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-k"]).arg(self.directory.path());
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "hot_standby=on",
            "wal_receiver_status_interval=1",
            "wal_retrieve_retry_interval=100ms",
        ] {
            server.args(["-c", setting]);
        }
        server.stdout(Stdio::null()).stderr(log).spawn().expect("it starts")
    }

    /// Kills it as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it ends");
        }
    }

    pub fn url(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The URL of a database that is on one of the servers, whichever takes writes.
    pub fn url_of(nodes: &[&Self]) -> String {
        let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("postgresql://postgres@{}/postgres", addresses.join(","))
    }

    pub async fn connect(&self) -> Client {
        try_connect(&self.url()).await.expect("PostgreSQL answers")
    }

    /// Runs statements one after the other.
    pub async fn execute(&self, statements: &[&str]) {
        let client = self.connect().await;
        for statement in statements {
            client.batch_execute(statement).await.expect("valid SQL");
        }
    }

    /// What a query gives that has one row of one number.
    pub async fn count(&self, query: &str) -> i64 {
        self.connect().await.query_one(query, &[]).await.expect("a row").get(0)
    }

    /// Makes every commit wait for a standby, or none.
    pub async fn require_standby(&self, is_required: bool) {
        let names = if is_required { STANDBY } else { "" };
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
        self.execute(&[&set, "SELECT pg_reload_conf()"]).await;
        if is_required {
            let there = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";
            self.wait_for(there, 1).await;
        }
    }

    /// Waits until a query of one number gives this one.
    pub async fn wait_for(&self, query: &str, number: i64) {
        let give_up = Instant::now() + PATIENCE;
        while self.count(query).await != number {
            assert!(Instant::now() < give_up, "{query} never gives {number}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a standby has everything that its primary has.
    pub async fn catch_up_with(&self, primary: &Self) {
        let row = primary.connect().await.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.expect("a row");
        let position: &str = row.get(0);
        self.wait_for(&format!("SELECT (pg_last_wal_replay_lsn() >= '{position}')::int::bigint"), 1).await;
    }

    /// Lets a standby hear nothing more of its primary.
    pub async fn stop_following(&self) {
        self.execute(&["ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"]).await;
        self.wait_for("SELECT count(*) FROM pg_stat_wal_receiver", 0).await;
    }

    /// Makes a standby the primary.
    pub async fn promote(&self) {
        self.execute(&["SELECT pg_promote()"]).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        // Its processes go a moment after it, and write until then.
        let give_up = Instant::now() + Duration::from_secs(5);
        while fs::remove_dir_all(self.data()).is_err() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

async fn try_connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Whom to become, since PostgreSQL refuses to run as root.
fn postgres_user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").expect("Linux").uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("users");
    let fields = users.lines().find_map(|line| line.strip_prefix("postgres:")).expect("a user named postgres");
    let numbers: Vec<u32> = fields.split(':').filter_map(|field| field.parse().ok()).collect();
    Some((numbers[0], numbers[1]))
}

/// Copies a database into an empty one as a backup by pg_dump is put back.
pub fn dump_and_restore(from: &str, to: &str) {
    let mut dump =
        program("pg_dump").args(["--format=custom", from]).stdout(Stdio::piped()).spawn().expect("it starts");
    let dumped = dump.stdout.take().expect("its output");
    run(program("pg_restore").args(["--exit-on-error", "--dbname", to]).stdin(dumped));
    assert!(dump.wait().expect("it ends").success());
}

/// A program of the newest PostgreSQL, as a user that it takes.
fn program(name: &str) -> Command {
    let bin = std::env::var("PERFREG_TEST_POSTGRES_BIN")
        .expect("PERFREG_TEST_POSTGRES_BIN is not set: run ./test, which sets it");
    let path = Path::new(&bin).join(name);
    let mut command = if postgres_user().is_some() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    // A directory that this user may not enter would be complained about.
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
