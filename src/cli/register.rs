//! `perfreg register`.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use super::duration::seconds;
use super::registration::Registration;
use super::run::environment;
use super::{Connection, exit};
use crate::client::ClientError;
use crate::wire::register::RegisterRequest;

/// Register a test before it starts; refused, it exits 75 and says who holds the location.
#[derive(Args)]
#[command(after_help = "A test that waits, or has a lease, needs heartbeats from then on; perfreg run sends them.")]
pub struct Register {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    registration: Registration,
    /// Ask for a lease: the longest time between two heartbeats, 10s to 1h.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    lease: Option<u32>,
}

#[derive(Deserialize)]
struct Registered {
    run_id: i64,
    position: Option<usize>,
    lease_token: Option<String>,
}

impl Register {
    pub async fn run(self) -> ExitCode {
        let request = match self.registration.request(environment::of_this_process(), None) {
            Ok(request) => RegisterRequest { lease_seconds: self.lease, ..request },
            Err(missing) => return exit::wrong_command_line(&missing),
        };
        register(&self.connection, &request).await.map_or_else(|error| exit::fail(&error), |()| ExitCode::SUCCESS)
    }
}

async fn register(connection: &Connection, request: &RegisterRequest) -> Result<(), ClientError> {
    let (client, output) = connection.open()?;
    let answer = match client.register(request).await {
        Ok(answer) => answer,
        Err(error) => {
            output.print_refusal(&error)?;
            return Err(error);
        }
    };
    output.print(&answer, |registered: Registered| {
        let Registered { run_id, position, lease_token } = registered;
        let token = lease_token.map(|token| format!("\nIts lease token, for heartbeats: {token}")).unwrap_or_default();
        match position {
            Some(position) => format!("Run {run_id} waits, at position {position}.{token}"),
            None => format!("Registered as run {run_id}.{token}"),
        }
    })
}
