//! `perfreg status`.

use clap::Args;

use super::Connection;
use super::output::executions_table;
use crate::client::ClientError;
use crate::clock;
use crate::wire::status::StatusResponse;

/// Show what is running.
#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    connection: Connection,
}

impl Status {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let answer = client.status().await?;
        output.print(&answer, |status: StatusResponse| match status.running.as_slice() {
            [] => "Nothing is running.".to_owned(),
            running => executions_table(running, clock::now()),
        })
    }
}
