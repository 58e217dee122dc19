//! `perfreg plan`.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use super::connection::Connection;
use super::exit;
use super::nested::outer_run;
use super::output::{remark, say};
use super::registration::{Registration, Wanted};
use super::run::environment;
use crate::client::ClientError;
use crate::wire::decimal::Decimal;
use crate::wire::plan::Obstacle;

const HELP: &str = "\
Exit codes:
   0  it would start now
  65  the factor can never fit at this location
  75  it would not start now";

/// Ask whether a test would start now, what is in its way and when it would. Changes nothing.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Plan {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    registration: Registration,
}

#[derive(Deserialize)]
struct Planned {
    message: String,
    obstacle: Option<Obstacle>,
    largest_factor: Option<Decimal>,
}

impl Plan {
    pub async fn run(self) -> ExitCode {
        match self.registration.request(environment::of_this_process().await, None) {
            Ok(wanted) => plan(&self.connection, wanted).await.unwrap_or_else(|error| exit::fail(&error)),
            Err(missing) => exit::wrong_command_line(&missing),
        }
    }
}

async fn plan(connection: &Connection, wanted: Wanted) -> Result<ExitCode, ClientError> {
    let (client, output) = connection.open()?;
    let request = wanted.settle(async |request| client.plan(request).await).await?;
    let answer = client.plan(&request).await?;
    let Planned { obstacle, .. } = answer.read()?;
    remark(&answer);
    output.print(&answer, describe)?;
    let outer = outer_run(&request, async |run_id| client.execution(run_id, 0, 0).await).await?;
    if let Some(outer) = outer.filter(|_| obstacle.is_some()) {
        say(&if outer.covers(&request) { outer.covered() } else { outer.refusal() });
    }
    Ok(exit::of_plan(obstacle))
}

fn describe(plan: Planned) -> String {
    let largest = plan.largest_factor.map(|factor| format!("\nThe largest factor that would start now: {factor}."));
    let advice = matches!(plan.obstacle, Some(Obstacle::NeverFits)).then(|| format!("\n{}", exit::ASK_FOR_ALL));
    format!("{}{}{}", plan.message, largest.unwrap_or_default(), advice.unwrap_or_default())
}
