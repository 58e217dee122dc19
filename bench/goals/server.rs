//! The service, and the original's design, each as processes that end with the scenario.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::database::{Database, psql};

/// As many as the original is run with.
const PEER_WORKERS: usize = 2;

pub struct Server {
    child: Child,
    /// Host and port.
    pub address: String,
}

impl Server {
    /// The service on this database; it has announced itself.
    pub fn start(database: &Database) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_perfreg"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--database", &database.url])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start the service")?;
        let output = child.stdout.take();
        let mut server = Self { child, address: String::new() };
        let mut lines = BufReader::new(output.context("piped")?).lines().map_while(Result::ok);
        let announced = lines.find_map(|line| {
            let (_, address) = line.split_once("Running tests  http://")?;
            Some(address.trim_end_matches("status-html").trim_end_matches('/').to_owned())
        });
        server.address = announced.context("the service ended before it listened")?;
        // Reads on, so that it never writes into a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    /// The original's design, with two workers, on an empty PostgreSQL database.
    pub fn start_peer(database: &Database) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (folder, uvicorn) = (root.join("bench/peer"), root.join("target/tools/peer/bin/uvicorn"));
        ensure!(uvicorn.exists(), "{} is missing; bench/run installs it", uvicorn.display());
        psql(&database.url, &["--file", &folder.join("schema.sql").display().to_string()])?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let mut command = Command::new(uvicorn);
        command.args(["main:app", "--host", "127.0.0.1", "--port", &port, "--workers", "2", "--loop", "uvloop"]);
        command.args(["--http", "httptools", "--no-access-log"]);
        command.env("DATABASE_URL", database.url.replacen("postgresql:", "postgresql+psycopg2:", 1));
        command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder).process_group(0);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().context("cannot start the peer")?;
        let log = child.stderr.take();
        let server = Self { child, address: format!("127.0.0.1:{port}") };
        let mut lines = BufReader::new(log.context("piped")?).lines().map_while(Result::ok);
        let mut said = Vec::new();
        // Each worker says so; one that came later would be missing from the measurement.
        for _ in 0..PEER_WORKERS {
            let is_ready =
                lines.by_ref().inspect(|line| said.push(line.clone())).any(|line| line.contains("startup complete"));
            ensure!(is_ready, "the peer ended before it listened: {}", said.join("\n"));
        }
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The whole group, since workers would outlive the one that started them.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
