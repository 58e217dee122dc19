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
}

impl Cancel {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let answer = client.cancel(&CancelRequest { run_id: self.run_id }).await?;
        output.print(&answer, |execution: Execution| ended(&execution))
    }
}
