//! `perfreg registry`.

use clap::{Args, Subcommand};

use super::connection::Connection;
use super::gate::{Grounds, State, describe};
use super::output::{printable, remark};
use crate::client::ClientError;
use crate::wire::gate::{Gate, SetGateRequest};

const EXAMPLES: &str = "\
Examples:
  perfreg registry
  perfreg registry set --state draining --reason 'upgrade' --until 2h
  perfreg registry set --state open";
const EXAMPLES_SET: &str = "\
Examples:
  perfreg registry set --state draining --reason 'upgrade' --until 16:00
  perfreg registry set --state stopped --reason 'the cluster is on fire'
  perfreg registry set --state open";

/// Show whether anything may start anywhere; drain, stop or open everything at once.
#[derive(Args)]
#[command(before_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Registry {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Drain, stop or open every location at once.
    #[command(before_help = EXAMPLES_SET)]
    Set {
        /// Whether anything may start.
        #[arg(long, help_heading = "What")]
        state: State,
        #[command(flatten)]
        grounds: Grounds,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Registry {
    pub async fn run(self) -> Result<(), ClientError> {
        if let Some(Command::Set { connection, state, grounds }) = self.command {
            grounds.check(Some(state))?;
            let (client, output) = connection.open()?;
            let Grounds { reason, by, until } = grounds;
            let (by, until) = (by.name(), until.map(|until| until.to_string()));
            let answer = client.set_registry(&SetGateRequest { state: state.into(), reason, by, until }).await?;
            remark(&answer);
            return output.tell(&answer, |gate: Gate| sentence(&gate));
        }
        let (client, output) = self.connection.open()?;
        output.tell(&client.registry().await?, |gate: Gate| sentence(&gate))
    }
}

pub fn sentence(gate: &Gate) -> String {
    printable(&format!("The registry is {}.", describe(gate)))
}
