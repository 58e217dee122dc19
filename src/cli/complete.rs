//! `perfreg complete`.

use clap::Args;

use super::connection::Connection;
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
    /// How it ended: success, failure or cancelled, or a CI system's word for one of them.
    #[arg(value_parser = status)]
    status: CompleteStatus,
    /// The secret that register gave, for a test with a lease.
    #[arg(long, env = "PERFREG_LEASE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    lease_token: Option<String>,
}

fn status(word: &str) -> Result<CompleteStatus, String> {
    let unknown = "give success, failure or cancelled, or a CI system's word for one of them";
    CompleteStatus::of_word(word).ok_or_else(|| unknown.to_owned())
}

impl Complete {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let Self { run_id, status, lease_token, .. } = self;
        let answer = client.complete(&CompleteRequest { run_id, status, lease_token, receipt: None }).await?;
        output.print(&answer, |execution: Execution| ended(&execution))
    }
}

pub fn ended(execution: &Execution) -> String {
    format!("Run {} ended: {}.", execution.run_id, execution.status)
}
