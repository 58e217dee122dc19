//! The nodes, as `cluster/run` sees them, and who leads.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, NoTls};

pub const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// Where HAProxy is.
pub const URL: &str = "http://10.77.0.254:8000";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/run");
const LOOK: Duration = Duration::from_millis(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

pub struct Nodes;

impl Nodes {
    pub fn new() -> Self {
        Self
    }

    /// Has `cluster/run` do this; what it says.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(SCRIPT);
        let output = command.args(arguments).kill_on_drop(true).output().await.context("cannot run cluster/run")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cluster/run {}: {errors}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    pub async fn primary(&self) -> Result<&'static str> {
        let name = self.run(&["primary"]).await?;
        NODES.into_iter().find(|node| *node == name).with_context(|| format!("{name} leads, which is no node"))
    }

    /// Looks at the nodes other than this one. Its result is when one of them took writes.
    pub async fn watch_for_promotion(&self, leader: &str) -> Result<JoinSet<Instant>> {
        let mut watched = JoinSet::new();
        for node in NODES.into_iter().filter(|node| *node != leader) {
            let client = connect(node).await?;
            watched.spawn(promotion(node, client));
        }
        Ok(watched)
    }

    /// As an administrator, to whoever takes writes.
    pub async fn judge(&self) -> Result<Client> {
        open("host=10.77.0.1,10.77.0.2,10.77.0.3 target_session_attrs=read-write dbname=registry").await
    }
}

async fn promotion(node: &'static str, mut client: Client) -> Instant {
    loop {
        match client.query_one("SELECT pg_is_in_recovery()", &[]).await {
            Ok(row) if !row.get::<_, bool>(0) => return Instant::now(),
            Ok(_) => {}
            Err(_) => {
                if let Ok(again) = connect(node).await {
                    client = again;
                }
            }
        }
        sleep(LOOK).await;
    }
}

async fn connect(node: &str) -> Result<Client> {
    open(&format!("host={} dbname=postgres", address(node))).await
}

fn address(node: &str) -> String {
    format!("10.77.0.{}", node.trim_start_matches('n'))
}

async fn open(parameters: &str) -> Result<Client> {
    let parameters = format!("{parameters} user=postgres connect_timeout=2");
    let connecting = timeout(CONNECT_TIMEOUT * 3, tokio_postgres::connect(&parameters, NoTls));
    let (client, connection) = connecting.await?.context("cannot connect to PostgreSQL")?;
    // Its end is seen by whoever asks something.
    tokio::spawn(connection);
    Ok(client)
}
