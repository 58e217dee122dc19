//! Our run at the registry, and what the registry says of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::Instant;

use crate::cli::ask::{Limits, SLOWEST_ANSWER, ask_until};
use crate::client::{Answer, Client, ClientError};
use crate::wire::cancel::CancelRequest;
use crate::wire::complete::{CompleteRequest, CompleteStatus};
use crate::wire::execution::{ExecutionStatus, Stop};
use crate::wire::heartbeat::HeartbeatRequest;
use crate::wire::room::Room;

const LEASE_UNLESS_TOLD: u32 = 60;

/// What every answer about our run says of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Standing {
    pub run_id: i64,
    pub status: ExecutionStatus,
    pub version: Option<i64>,
    pub fence: Option<i64>,
    pub lease_seconds: Option<u32>,
    /// Told by register only.
    pub lease_token: Option<String>,
    /// Told once it runs.
    pub receipt: Option<String>,
    pub position: Option<usize>,
    pub waits_for: Option<Room>,
    pub estimated_start: Option<Timestamp>,
    pub stop: Option<Stop>,
    /// Where people look at it, if the server knows.
    pub page_url: Option<String>,
    /// The whole answer.
    #[serde(skip)]
    pub answer: String,
}

impl Standing {
    /// # Errors
    /// If the answer says nothing of a run.
    pub fn read(answer: &Answer) -> Result<Self, ClientError> {
        let standing: Self = answer.read()?;
        Ok(Self { answer: answer.json().to_owned(), ..standing })
    }
}

/// What names our run and proves that it is ours.
#[derive(Clone)]
pub struct Ticket {
    pub run_id: i64,
    pub lease: Duration,
    client: Client,
    token: String,
    /// By which the registry knows the run again, should its database forget it.
    receipt: Arc<OnceLock<String>>,
}

pub enum Heard {
    Alive(Box<Standing>),
    /// It has ended at the registry, or the registry does not know it: why, and whether it was lost.
    Over {
        why: String,
        lost: bool,
    },
    /// There was no answer that says anything.
    Silence(ClientError),
}

impl Ticket {
    pub fn new(client: &Client, standing: &Standing) -> Self {
        Self {
            run_id: standing.run_id,
            lease: Duration::from_secs(standing.lease_seconds.unwrap_or(LEASE_UNLESS_TOLD).into()),
            client: client.clone(),
            token: standing.lease_token.clone().unwrap_or_default(),
            receipt: Arc::new(standing.receipt.clone().map_or_else(OnceLock::new, OnceLock::from)),
        }
    }

    /// Sends a heartbeat, held for so many seconds unless there is news. A waiter says which version it knows, lest its
    /// turn come between two heartbeats and be no news any more.
    pub async fn beat(&self, hold_seconds: u32, version: Option<i64>) -> Heard {
        let request = HeartbeatRequest {
            run_id: self.run_id,
            lease_token: self.token.clone(),
            receipt: self.receipt.get().cloned(),
            wait_seconds: Some(hold_seconds),
            version,
        };
        // Under a short lease less, so that it can be tried again before that runs out.
        let patience = Duration::from_secs(hold_seconds.into()) + SLOWEST_ANSWER.min(self.lease / 3);
        let heard = classify(self.client.within(patience, self.client.heartbeat(&request)).await);
        if let Heard::Alive(standing) = &heard
            && let Some(receipt) = &standing.receipt
        {
            self.receipt.get_or_init(|| receipt.clone());
        }
        heard
    }

    /// Says how the run ended, again and again while nobody hears it.
    pub async fn complete(&self, status: CompleteStatus, patience: Duration) -> Result<(), ClientError> {
        let (lease_token, receipt) = (Some(self.token.clone()), self.receipt.get().cloned());
        let request = CompleteRequest { run_id: self.run_id, status, lease_token, receipt };
        // The registry was reached before, so what is wrong on the way may be mended by those who broke it.
        let goes_on = ClientError::is_of_the_way;
        let limits = Limits { give_up: Some(Instant::now() + patience), slowest_answer: SLOWEST_ANSWER, goes_on };
        let how = format!("the end of run {} is told again for {}s", self.run_id, patience.as_secs());
        ask_until(limits, &self.client, &how, async || self.client.complete(&request).await).await.map(drop)
    }

    /// Gives the place in the queue back.
    pub async fn give_back(&self) -> Result<(), ClientError> {
        let reason = Some("interrupted while it waited".to_owned());
        // By force: if it has just started, nobody is there any more whom the registry could ask to stop.
        let request = CancelRequest { run_id: self.run_id, reason, by: None, force: true };
        self.client.within(SLOWEST_ANSWER, self.client.cancel(&request)).await.map(drop)
    }
}

fn classify(answer: Result<Answer, ClientError>) -> Heard {
    match answer.and_then(|answer| Standing::read(&answer)) {
        Ok(standing) if matches!(standing.status, ExecutionStatus::Queued | ExecutionStatus::Running) => {
            Heard::Alive(Box::new(standing))
        }
        Ok(standing) => {
            let Standing { run_id, status, .. } = standing;
            Heard::Over { why: format!("somebody ended run {run_id} as {status}"), lost: false }
        }
        Err(ClientError::Refused { problem, .. }) if problem.status < 500 => {
            let lost = problem.kind.ends_with(":lost") || matches!(problem.status, 403 | 404);
            Heard::Over { why: problem.detail.trim_end_matches('.').to_owned(), lost }
        }
        Err(error) => Heard::Silence(error),
    }
}
