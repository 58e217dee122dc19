//! What clients do meanwhile: short runs that come at a steady pace whatever happens, and long ones
//! under a lease.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::client::{Client, registration};
use crate::evidence::{Admission, Evidence, Notebook};

/// One short run is registered so often, answered or not.
const PACE: Duration = Duration::from_millis(100);
const LOCATIONS: usize = 4;
const LONG_RUNS: usize = 12;
/// The shortest lease there is, and the usual third of it.
const LEASE_SECONDS: u32 = 10;
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Short runs are ended by their clients, who give no sign of life.
const LONG_LEASE_SECONDS: u32 = 3_600;
/// For whoever has not been answered when everything is in order again.
const LAST_WORDS: Duration = Duration::from_secs(30);

pub struct Load {
    client: Client,
    pub notebook: Notebook,
    stop: watch::Sender<bool>,
    short_runs: JoinHandle<JoinSet<()>>,
    long_runs: JoinSet<()>,
}

impl Load {
    pub fn start(url: &str) -> Self {
        let (client, notebook, stop) = (Client::new(url), Notebook::default(), watch::Sender::new(false));
        let short_runs = tokio::spawn(register_steadily(client.clone(), notebook.clone(), stop.subscribe()));
        let mut load = Self { client, notebook, stop, short_runs, long_runs: JoinSet::new() };
        load.start_long_runs();
        load
    }

    /// More runs under a lease.
    pub fn start_long_runs(&mut self) {
        for number in 0..LONG_RUNS {
            let (client, notebook, stop) = (self.client.clone(), self.notebook.clone(), self.stop.subscribe());
            self.long_runs.spawn(long_run(client, notebook, format!("long-{}", number % LOCATIONS), stop));
        }
    }

    /// Lets everybody finish.
    pub async fn stop(mut self) -> Evidence {
        self.stop.send_replace(true);
        let finish = async {
            if let Ok(mut short_runs) = self.short_runs.await {
                while short_runs.join_next().await.is_some() {}
            }
            while self.long_runs.join_next().await.is_some() {}
        };
        if timeout(LAST_WORDS, finish).await.is_err() {
            self.notebook.open().surprises.push("somebody is still not answered at the end".to_owned());
        }
        self.notebook.take()
    }
}

/// Whoever is not answered does not keep others from coming.
pub async fn register_steadily(client: Client, notebook: Notebook, mut stop: watch::Receiver<bool>) -> JoinSet<()> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut runs = JoinSet::new();
    for number in 0.. {
        tokio::select! {
            _ = pace.tick() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        while runs.try_join_next().is_some() {}
        runs.spawn(short_run(client.clone(), notebook.clone(), format!("short-{}", number % LOCATIONS)));
    }
    runs
}

async fn short_run(client: Client, notebook: Notebook, location: String) {
    let sent = Instant::now();
    let answer = client.ask("/register", &registration(&location, LONG_LEASE_SECONDS)).await;
    let Some(admission) = notebook.admitted(&answer, sent) else { return };
    let answer = client.ask("/complete", &success(&admission)).await;
    let mut evidence = notebook.open();
    match answer.status {
        200 => evidence.completed.push(admission.run_id),
        // Only if the database lost it; the judge counts those.
        404 => {}
        status => evidence.surprises.push(format!("complete {}: {status} {}", admission.run_id, answer.body)),
    }
}

async fn long_run(client: Client, notebook: Notebook, location: String, mut stop: watch::Receiver<bool>) {
    let sent = Instant::now();
    let answer = client.ask("/register", &registration(&location, LEASE_SECONDS)).await;
    let Some(admission) = notebook.admitted(&answer, sent) else { return };
    let expired = |what: &str, status: u16, body: &Value| {
        notebook.open().expired.push(format!("{what} {}: {status} {body}", admission.run_id));
    };
    loop {
        tokio::select! {
            () = sleep(HEARTBEAT) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        let answer = client.ask("/heartbeat", &word(&admission)).await;
        if answer.status != 200 || answer.body["status"] != "running" {
            return expired("heartbeat", answer.status, &answer.body);
        }
    }
    let answer = client.ask("/complete", &success(&admission)).await;
    if answer.status == 200 {
        notebook.open().completed.push(admission.run_id);
    } else {
        expired("complete", answer.status, &answer.body);
    }
}

fn word(admission: &Admission) -> Value {
    let mut word = json!({"run_id": admission.run_id, "lease_token": admission.lease_token});
    if admission.receipt.is_string() {
        word["receipt"] = admission.receipt.clone();
    }
    word
}

fn success(admission: &Admission) -> Value {
    let mut word = word(admission);
    word["status"] = json!("success");
    word
}
