//! `perfreg registry`.

use clap::{Args, Subcommand};

use super::connection::Connection;
use super::gate::{Grounds, State, describe};
use super::output::printable;
use crate::client::ClientError;
use crate::wire::gate::{Gate, SetGateRequest};

/// Show whether anything may start anywhere, or drain or stop everything at once.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Registry {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Open or close every location at once.
    Set {
        #[command(flatten)]
        connection: Connection,
        /// Whether anything may start; stopped also asks what runs to stop.
        #[arg(long)]
        state: State,
        #[command(flatten)]
        grounds: Grounds,
    },
}

impl Registry {
    pub async fn run(self) -> Result<(), ClientError> {
        if let Some(Command::Set { connection, state, grounds }) = self.command {
            let (client, output) = connection.open()?;
            let Grounds { reason, by, until } = grounds;
            let answer = client.set_registry(&SetGateRequest { state: state.into(), reason, by, until }).await?;
            return output.print(&answer, |gate: Gate| sentence(&gate));
        }
        let (client, output) = self.connection.open()?;
        output.print(&client.registry().await?, |gate: Gate| sentence(&gate))
    }
}

pub fn sentence(gate: &Gate) -> String {
    printable(&format!("The registry is {}.", describe(gate)))
}
