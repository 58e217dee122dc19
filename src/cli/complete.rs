//! `perfreg complete`.

use clap::{Args, ValueEnum};

use super::Connection;
use crate::client::ClientError;
use crate::wire::complete::{CompleteRequest, CompleteStatus};
use crate::wire::execution::Execution;

/// Say how a test ended; saying the same again does no harm.
#[derive(Args)]
pub struct Complete {
    #[command(flatten)]
    connection: Connection,
    /// The number that register gave it.
    run_id: i64,
    /// How it ended.
    status: Outcome,
    /// The secret that register gave, for a test with a lease.
    #[arg(long, env = "PERFREG_LEASE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    lease_token: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Outcome {
    Success,
    #[value(alias = "failed")]
    Failure,
    Cancelled,
}

impl Complete {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let status = match self.status {
            Outcome::Success => CompleteStatus::Success,
            Outcome::Failure => CompleteStatus::Failure,
            Outcome::Cancelled => CompleteStatus::Cancelled,
        };
        let answer = client
            .complete(&CompleteRequest { run_id: self.run_id, status, lease_token: self.lease_token, receipt: None })
            .await?;
        output.print(&answer, |execution: Execution| ended(&execution))
    }
}

pub fn ended(execution: &Execution) -> String {
    format!("Run {} ended: {}.", execution.run_id, execution.status)
}
