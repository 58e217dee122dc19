//! `perfreg locations`.

use clap::{Args, Subcommand};

use super::Connection;
use super::gate::{Grounds, State, describe};
use super::output::table;
use crate::client::ClientError;
use crate::wire::location::{Location, LocationsResponse, SetLocationRequest};

/// Show the locations and how full they are, or set a capacity.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Locations {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Set the capacity of a location, or whether anything may start there.
    Set {
        #[command(flatten)]
        connection: Connection,
        /// Name of the location; it need not have been used yet.
        name: String,
        /// Above 0 and at most 1000, such as 2.5.
        #[arg(long)]
        capacity: Option<String>,
        /// Whether anything may start there; stopped also asks what runs to stop.
        #[arg(long)]
        state: Option<State>,
        #[command(flatten)]
        grounds: Grounds,
    },
}

impl Locations {
    pub async fn run(self) -> Result<(), ClientError> {
        if let Some(Command::Set { connection, name, capacity, state, grounds }) = self.command {
            let (client, output) = connection.open()?;
            let Grounds { reason, by, until } = grounds;
            let request = SetLocationRequest { capacity, state: state.map(Into::into), reason, by, until };
            let answer = client.set_location(&name, &request).await?;
            return output.print(&answer, |location: Location| locations_table(&[location]));
        }
        let (client, output) = self.connection.open()?;
        let answer = client.locations().await?;
        output.print(&answer, |all: LocationsResponse| match all.locations.as_slice() {
            [] => "No location has been used yet.".to_owned(),
            locations => locations_table(locations),
        })
    }
}

pub fn locations_table(locations: &[Location]) -> String {
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
    let header = ["LOCATION", "USED", "CAPACITY", "AVAILABLE", "RUNNING", "WAITING", "STATE"];
    table(header, &[1, 2, 3, 4, 5], locations.iter().map(row).collect())
}
