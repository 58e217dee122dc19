//! A client on a node that is cut off, and what it was told there.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Duration, sleep};

use crate::client::Client;
use crate::evidence::{Admission, Notebook};
use crate::load::register_steadily;

const LOOK: Duration = Duration::from_millis(20);

/// Registers at this server and prints what is admitted, one line each, until it is killed.
pub async fn watch(url: &str) {
    let (notebook, stop) = (Notebook::default(), watch::Sender::new(false));
    let registering = tokio::spawn(register_steadily(Client::new(url), notebook.clone(), stop.subscribe()));
    while !registering.is_finished() {
        for Admission { run_id, id, location, fence, .. } in notebook.take().admissions {
            println!("{run_id} {id} {location} {fence}");
        }
        sleep(LOOK).await;
    }
}

pub struct Witness {
    process: Child,
    seen: Arc<Mutex<Vec<Admission>>>,
}

impl Witness {
    pub fn start(node: &str) -> Result<Self> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", node]).arg(std::env::current_exe()?);
        command.args(["--bench", "--witness", "http://127.0.0.1:8000"]);
        let mut process =
            command.stdout(Stdio::piped()).kill_on_drop(true).spawn().context("cannot start a witness")?;
        let mut lines = BufReader::new(process.stdout.take().context("piped")?).lines();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                noted.lock().unwrap_or_else(PoisonError::into_inner).extend(admission(&line));
            }
        });
        Ok(Self { process, seen })
    }

    pub async fn stop(mut self) -> Result<Vec<Admission>> {
        self.process.kill().await.context("the witness has ended early")?;
        sleep(LOOK).await;
        Ok(std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn admission(line: &str) -> Option<Admission> {
    let mut words = line.split(' ');
    let now = Instant::now();
    Some(Admission {
        run_id: words.next()?.parse().ok()?,
        id: words.next()?.to_owned(),
        location: words.next()?.to_owned(),
        fence: words.next()?.parse().ok()?,
        lease_token: String::new(),
        receipt: serde_json::Value::Null,
        sent: now,
        answered: now,
    })
}
