//! A server, which is killed, frozen and started again.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::proxy::Proxy;
use crate::shim::Switches;

pub struct Replica {
    pub name: String,
    pub address: SocketAddr,
    /// Between it and its clients, and between it and PostgreSQL.
    pub clients: Proxy,
    pub database: Option<Proxy>,
    pub switches: Switches,
    binary: PathBuf,
    url: String,
    log: PathBuf,
    seeded_bug: Option<String>,
    child: Mutex<Option<Child>>,
}

pub struct Setup {
    pub name: String,
    pub binary: PathBuf,
    pub url: String,
    pub database: Option<Proxy>,
    pub switches: Switches,
    pub log: PathBuf,
    pub seeded_bug: Option<String>,
}

impl Replica {
    pub async fn start(setup: Setup) -> Result<Self> {
        // It has to listen on the same port again when it is started again.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let Setup { name, binary, url, database, switches, log, seeded_bug } = setup;
        let clients = Proxy::start(address).await?;
        let child = Mutex::default();
        let replica = Self { name, address, clients, database, switches, binary, url, log, seeded_bug, child };
        replica.launch()?;
        Ok(replica)
    }

    pub fn launch(&self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        // It ends with us, however we end.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&self.binary);
        command.args(["serve", "--log", "warn", "--listen", &self.address.to_string(), "--database", &self.url]);
        if let Some(bug) = &self.seeded_bug {
            command.env("PERFREG_SEEDED_BUG", bug);
        }
        self.switches.load_into(&mut command);
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let started = command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        *self.child() = Some(started);
        Ok(())
    }

    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether it ended although nobody killed it.
    pub fn has_ended(&self) -> bool {
        self.child().as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
    }

    pub fn signal(&self, signal: Signal) {
        let pid = self.child().as_ref().and_then(|child| Pid::from_raw(i32::try_from(child.id()).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}
