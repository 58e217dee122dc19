//! Databases that go when the scenario ends.

use std::fmt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Sqlite,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        })
    }
}

/// An empty database.
pub struct Database {
    pub engine: Engine,
    pub url: String,
    name: String,
    _directory: Option<TempDir>,
}

impl Database {
    pub fn new(engine: Engine) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        if engine == Engine::Sqlite {
            let directory = TempDir::new()?;
            let url = format!("sqlite:{}", directory.path().join("perfreg.db").display());
            return Ok(Self { engine, url, name, _directory: Some(directory) });
        }
        psql(&server_url()?, &["--command", &format!("CREATE DATABASE {name} TEMPLATE template0")])?;
        let url = url_of(&name)?;
        Ok(Self { engine, url, name, _directory: None })
    }

    /// The PostgreSQL database as somebody else sees it.
    pub async fn connect(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The SQLite file as somebody else sees it.
    pub fn open_file(&self) -> Result<rusqlite::Connection> {
        let path = self.url.strip_prefix("sqlite:").context("it is no SQLite database")?;
        Ok(rusqlite::Connection::open(path)?)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.engine == Engine::Postgres {
            // A large one would fill the disk for the scenarios that follow.
            let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            if let Err(error) = server_url().and_then(|server| psql(&server, &["--command", &drop])) {
                eprintln!("{error:#}");
            }
        }
    }
}

/// What psql prints.
pub fn psql(url: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("psql");
    command.args([url, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
    let output = command.args(arguments).stdin(Stdio::null()).output().context("cannot run psql")?;
    ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub fn postgres_version() -> Result<String> {
    psql(&server_url()?, &["--command", "SHOW server_version"])
}

fn server_url() -> Result<String> {
    url_of("postgres")
}

/// Nobody is to pay for TLS on loopback, neither the service nor what it is compared with.
fn url_of(name: &str) -> Result<String> {
    let server = std::env::var("PERFREG_TEST_POSTGRES_URL").context(
        "PERFREG_TEST_POSTGRES_URL is not set; run bench/run, which starts a PostgreSQL for the measurements",
    )?;
    let (address, _) = server.rsplit_once('/').context("PERFREG_TEST_POSTGRES_URL names no database")?;
    Ok(format!("{address}/{name}?sslmode=disable"))
}
