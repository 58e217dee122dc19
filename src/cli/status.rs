//! `perfreg status`.

use clap::Args;

use super::connection::Connection;
use super::output::executions_table;
use crate::client::ClientError;
use crate::clock;
use crate::wire::execution::Execution;
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
            running => format!("{}{}", executions_table(running, clock::now()), of_adopted(running)),
        })
    }
}

/// What the original left running; every start of this registry has a fence.
fn of_adopted(running: &[Execution]) -> String {
    let adopted = || running.iter().filter(|run| run.fence.is_none());
    let Some(oldest) = adopted().map(|run| run.start_time).min() else { return String::new() };
    let oldest = oldest.strftime("%Y-%m-%d %H:%M:%SZ");
    let of_them = match adopted().count() {
        1 => format!("1 of them was adopted from the original's database, and runs since {oldest}"),
        count => format!("{count} of them were adopted from the original's database, the oldest runs since {oldest}"),
    };
    format!("\n\n{of_them}. perfreg locations says what they hold up, and how to end them.")
}
