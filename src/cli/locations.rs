//! `perfreg locations`.

use clap::{ArgGroup, Args, Subcommand};

use super::by::By;
use super::connection::Connection;
use super::gate::{Grounds, State, describe};
use super::known;
use super::output::{in_lines, printable, remark, say};
use super::table::{Column, table};
use super::terminal::table_width;
use super::values::capacity;
use crate::client::ClientError;
use crate::wire::gate::Gate;
use crate::wire::location::{
    Adopted, DeleteLocationResponse, Location, LocationsResponse, MergeLocationRequest, MergeLocationResponse,
    SetLocationRequest,
};

const EXAMPLES: &str = "\
Examples:
  perfreg locations
  perfreg locations set azure-k8s --capacity 2.5
  perfreg locations set azure-k8s --state draining --reason 'upgrade' --until 2h
  perfreg locations merge azure-k8z azure-k8s";
const EXAMPLES_SET: &str = "\
Examples:
  perfreg locations set azure-k8s --capacity 2.5
  perfreg locations set azure-k8s --state draining --reason 'upgrade' --until 2h
  perfreg locations set azure-k8s --state open";

/// Show the locations and how full they are; set, merge or delete one.
#[derive(Args)]
#[command(before_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Locations {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Set the capacity of a location, or whether anything may start there.
    #[command(before_help = EXAMPLES_SET, group = ArgGroup::new("what").required(true).multiple(true).args(["capacity", "state"]))]
    Set {
        /// Name of the location; a new one needs --capacity.
        name: String,
        /// Above 0 and at most 1000, such as 2.5; the factors of the tests that run there stay below it.
        #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = capacity, help_heading = "What")]
        capacity: Option<String>,
        /// Whether anything may start there.
        #[arg(long, help_heading = "What")]
        state: Option<State>,
        #[command(flatten)]
        grounds: Grounds,
        #[command(flatten)]
        connection: Connection,
    },
    /// Make one location of two, such as one whose name was mistyped and the right one.
    ///
    /// What runs and waits at the first does so at the second from then on, which keeps its capacity and its state; the first
    /// is deleted. Ended tests keep the name of where they ran.
    #[command(
        before_help = "Examples:\n  perfreg locations merge azure-k8z azure-k8s\n  perfreg locations merge \" azure-k8s\" azure-k8s"
    )]
    Merge {
        /// Location that goes, spelt as perfreg locations --json shows it.
        from: String,
        /// Location that takes everything in.
        into: String,
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a location at which nothing runs or waits; its tests stay in the history.
    #[command(
        before_help = "Examples:\n  perfreg locations delete azure-k8z\n  perfreg locations delete azure-k8z --by ana"
    )]
    Delete {
        /// Name of the location.
        name: String,
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Locations {
    pub async fn run(self) -> Result<(), ClientError> {
        match self.command {
            None => list(&self.connection).await,
            Some(Command::Set { connection, name, capacity, state, grounds }) => {
                grounds.check(state)?;
                let (client, output) = connection.open()?;
                let Grounds { reason, by, until } = grounds;
                // A new location with nothing but a state is nearly always another one misspelt, which then goes on.
                if capacity.is_none() {
                    known::location(&client, &name).await?;
                }
                let (by, until) = (by.name(), until.map(|until| until.to_string()));
                let request = SetLocationRequest { capacity, state: state.map(Into::into), reason, by, until };
                let answer = client.set_location(&name, &request).await?;
                remark(&answer);
                output.print(&answer, |location: Location| locations_table(&[location], table_width(false)))
            }
            Some(Command::Merge { connection, from, into, by }) => {
                let (client, output) = connection.open()?;
                let answer = client.merge_location(&from, &MergeLocationRequest { into, by: by.name() }).await?;
                output.print(&answer, |merged: MergeLocationResponse| {
                    let tests = if merged.moved == 1 { "test" } else { "tests" };
                    format!(
                        "Moved {} {tests}.\n\n{}",
                        merged.moved,
                        locations_table(&[merged.location], table_width(false))
                    )
                })
            }
            Some(Command::Delete { connection, name, by }) => {
                let (client, output) = connection.open()?;
                let answer = client.delete_location(&name, by.name().as_deref()).await?;
                output.tell(&answer, |_: DeleteLocationResponse| format!("{name} is deleted."))
            }
        }
    }
}

async fn list(connection: &Connection) -> Result<(), ClientError> {
    let (client, output) = connection.open()?;
    let answer = client.locations().await?;
    let registry: Option<Gate> = if output.json { None } else { Some(client.registry().await?.read()?) };
    output.print(&answer, |mut all: LocationsResponse| {
        for location in &mut all.locations {
            location.gate = registry.as_ref().map_or(location.gate.clone(), |gate| stricter(gate, &location.gate));
        }
        for (name, flaw) in all.locations.iter().filter_map(|one| Some((&one.name, one.flaw.as_ref()?))) {
            say(&format!("location {name:?}: {flaw}"));
        }
        let adopted = all.adopted.as_ref().map(of_adopted).unwrap_or_default();
        match all.locations.as_slice() {
            [] => format!("No location has been used yet.{adopted}"),
            locations => format!("{}{adopted}", locations_table(locations, table_width(false))),
        }
    })
}

/// The gate that counts, as an admission sees it; the registry's says so in its reason.
fn stricter(registry: &Gate, own: &Gate) -> Gate {
    if registry.state <= own.state {
        return own.clone();
    }
    let reason = registry.reason.as_deref().unwrap_or_default();
    Gate { reason: Some(format!("the whole registry, {reason}")), ..registry.clone() }
}

fn of_adopted(adopted: &Adopted) -> String {
    let command = adopted.command.as_deref().map(|command| {
        format!("\nThis lists those at one location, and without --dry-run ends them:\n\n  {}", printable(command))
    });
    format!("\n\n{}{}", in_lines(&printable(&adopted.message)), command.unwrap_or_default())
}

fn locations_table(locations: &[Location], width: Option<usize>) -> String {
    let row = |location: &Location| {
        [
            location.name.clone(),
            location.used.to_string(),
            location.capacity.to_string(),
            location.available.to_string(),
            location.running.to_string(),
            location.waiting.to_string(),
            describe(&location.gate),
        ]
    };
    rows_of_locations(locations.iter().map(row).collect(), width)
}

/// The table of locations, from its cells.
pub fn rows_of_locations(rows: Vec<[String; 7]>, width: Option<usize>) -> String {
    let columns = [
        Column::kept("LOCATION"),
        Column::number("USED").unless_narrow(2),
        Column::number("CAPACITY").unless_narrow(1),
        Column::number("FREE"),
        Column::number("RUNNING"),
        Column::number("WAITING"),
        Column::text("STATE"),
    ];
    table(columns, rows, width)
}
