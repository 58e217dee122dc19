//! A PostgreSQL of our own, which waits for its disk, and is killed, frozen and started again.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, getuid, kill_process};
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use crate::shim::Switches;

pub struct Postgres {
    pub address: SocketAddr,
    pub switches: Switches,
    programs: PathBuf,
    directory: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Postgres {
    /// A new one, which is empty.
    pub async fn start(directory: PathBuf, switches: Switches) -> Result<Self> {
        let postgres = Self::new(directory, switches)?;
        let mut initialise = postgres.command("initdb");
        initialise.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D"]).arg(postgres.data());
        run(&mut initialise)?;
        postgres.launch()?;
        postgres.wait_until_ready().await?;
        Ok(postgres)
    }

    /// A standby of this one, whose confirmation every commit waits for from now on.
    pub async fn start_standby(&self, directory: PathBuf, switches: Switches) -> Result<Self> {
        let standby = Self::new(directory, switches)?;
        let source = format!("host=127.0.0.1 port={} user=postgres application_name=standby", self.address.port());
        let mut copy = standby.command("pg_basebackup");
        copy.args([
            "--dbname",
            &source,
            "--write-recovery-conf",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--pgdata",
        ]);
        run(copy.arg(standby.data()))?;
        standby.launch()?;
        standby.wait_until_ready().await?;
        let client = self.connect().await?;
        client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'").await?;
        client.batch_execute("SELECT pg_reload_conf()").await?;
        Ok(standby)
    }

    fn new(directory: PathBuf, switches: Switches) -> Result<Self> {
        let programs = std::env::var("CHAOS_POSTGRES_PROGRAMS")
            .context("CHAOS_POSTGRES_PROGRAMS is not set; start this with chaos/run")?;
        fs::create_dir_all(&directory)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Mutex::default();
        let postgres = Self { address, switches, programs: programs.into(), directory, child };
        if getuid().is_root() {
            run(Command::new("chown").arg("postgres").arg(&postgres.directory))?;
        }
        Ok(postgres)
    }

    pub async fn connect(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&Self::url(self.address), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Whether it takes over; it may be about to start again.
    pub fn promote(&self) -> Result<bool> {
        let mut promote = self.command("pg_ctl");
        promote.args(["promote", "--wait", "--timeout=20", "--pgdata"]).arg(self.data());
        Ok(promote.output().context("cannot run pg_ctl")?.status.success())
    }

    /// The processes that take what the primary sends.
    pub fn wal_receivers(&self) -> Vec<Pid> {
        let is_receiver = |pid: &Pid| {
            let title = fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
            title.is_ok_and(|title| title.contains("walreceiver"))
        };
        self.children().into_iter().filter(is_receiver).collect()
    }

    /// The database by way of another address.
    pub fn url(address: SocketAddr) -> String {
        format!("postgresql://postgres@{address}/postgres?sslmode=disable")
    }

    pub fn launch(&self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.directory.with_extension("log"))?;
        let mut command = self.command("postgres");
        self.switches.load_into(&mut command);
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(&self.directory)
            .arg("-p")
            .arg(self.address.port().to_string());
        let settings = ["listen_addresses=127.0.0.1", "max_connections=200", "fsync=on", "shared_buffers=64MB"];
        for setting in settings.into_iter().chain(["log_min_error_statement=panic", "restart_after_crash=on"]) {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        *self.child() = Some(command.spawn().context("cannot start PostgreSQL")?);
        Ok(())
    }

    pub async fn wait_until_ready(&self) -> Result<()> {
        for _ in 0..600 {
            if let Ok(client) = self.connect().await
                && client.batch_execute("SELECT 1").await.is_ok()
            {
                return Ok(());
            }
            if self.has_ended() {
                self.launch()?;
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("PostgreSQL does not come back; see {}", self.directory.with_extension("log").display())
    }

    /// Kills all of it; its children would go on for a moment.
    pub fn kill(&self) {
        let children = self.children();
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        send(&children, Signal::KILL);
    }

    pub fn signal(&self, signal: Signal) {
        let pids: Vec<Pid> = self.pid().into_iter().chain(self.children()).collect();
        send(&pids, signal);
    }

    /// After a panic, or where the disk was full when it wanted to recover, it may have given up.
    fn has_ended(&self) -> bool {
        self.child().as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    fn pid(&self) -> Option<Pid> {
        self.child().as_ref().and_then(|child| Pid::from_raw(i32::try_from(child.id()).ok()?))
    }

    fn children(&self) -> Vec<Pid> {
        let Some(pid) = self.pid() else { return Vec::new() };
        let path = format!("/proc/{0}/task/{0}/children", pid.as_raw_nonzero());
        let listed = fs::read_to_string(path).unwrap_or_default();
        listed.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// It refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let path = Path::new(&self.programs).join(program);
        // It ends with us, however we end.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if getuid().is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        }
        command.arg(path).current_dir(&self.directory);
        command
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

pub fn send(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // It may have ended by itself.
        let _ = kill_process(*pid, signal);
    }
}
