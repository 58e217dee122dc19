//! `perfreg locations`.

use clap::{Args, Subcommand};

use super::Connection;
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
    /// Set the capacity of a location; the factors running there stay below it.
    Set {
        #[command(flatten)]
        connection: Connection,
        /// Name of the location; it need not have been used yet.
        name: String,
        /// Above 0 and at most 1000, such as 2.5.
        #[arg(long)]
        capacity: String,
    },
}

impl Locations {
    pub async fn run(self) -> Result<(), ClientError> {
        if let Some(Command::Set { connection, name, capacity }) = self.command {
            let (client, output) = connection.open()?;
            let answer = client.set_location(&name, &SetLocationRequest { capacity }).await?;
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

fn locations_table(locations: &[Location]) -> String {
    let row = |location: &Location| {
        [
            location.name.clone(),
            location.used.to_string(),
            location.capacity.to_string(),
            location.available.to_string(),
            location.running.to_string(),
        ]
    };
    let header = ["LOCATION", "USED", "CAPACITY", "AVAILABLE", "RUNNING"];
    table(header, &[1, 2, 3, 4], locations.iter().map(row).collect())
}
