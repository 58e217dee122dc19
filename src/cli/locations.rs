//! `perfreg locations`.

use clap::{Args, Subcommand, ValueEnum};

use super::output::table;
use super::{Connection, gate};
use crate::client::ClientError;
use crate::wire::gate::GateState;
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
        /// Why, for everybody who waits; required unless it is opened.
        #[arg(long)]
        reason: Option<String>,
        /// Who sets it.
        #[arg(long)]
        by: Option<String>,
        /// When it opens by itself, such as 2026-11-22T14:03:00Z.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Open,
    Draining,
    Stopped,
}

impl From<State> for GateState {
    fn from(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::Draining => Self::Draining,
            State::Stopped => Self::Stopped,
        }
    }
}

impl Locations {
    pub async fn run(self) -> Result<(), ClientError> {
        if let Some(Command::Set { connection, name, capacity, state, reason, by, until }) = self.command {
            let (client, output) = connection.open()?;
            let answer = client
                .set_location(&name, &SetLocationRequest { capacity, state: state.map(Into::into), reason, by, until })
                .await?;
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
            gate::describe(&location.gate),
        ]
    };
    let header = ["LOCATION", "USED", "CAPACITY", "AVAILABLE", "RUNNING", "WAITING", "STATE"];
    table(header, &[1, 2, 3, 4, 5], locations.iter().map(row).collect())
}
