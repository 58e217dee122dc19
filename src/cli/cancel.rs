//! `perfreg cancel`.

use clap::Args;

use super::Connection;
use super::complete::ended;
use crate::client::ClientError;
use crate::wire::cancel::CancelRequest;
use crate::wire::execution::Execution;

/// Cancel a running test.
#[derive(Args)]
pub struct Cancel {
    #[command(flatten)]
    connection: Connection,
    /// The number that register gave it.
    run_id: i64,
    /// Why, for the runner that is asked to stop.
    #[arg(long)]
    reason: Option<String>,
    /// Who cancels it.
    #[arg(long)]
    by: Option<String>,
    /// End a test with a lease at once, instead of asking it to stop.
    #[arg(long)]
    force: bool,
}

impl Cancel {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let answer = client
            .cancel(&CancelRequest { run_id: self.run_id, reason: self.reason, by: self.by, force: self.force })
            .await?;
        output.print(&answer, |execution: Execution| match &execution.stop {
            Some(_) if execution.end_time.is_none() => format!("Run {} is asked to stop.", execution.run_id),
            _ => ended(&execution),
        })
    }
}
