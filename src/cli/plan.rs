//! `perfreg plan`.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use super::connection::Connection;
use super::exit;
use super::failure::Failure;
use super::nested::outer_run;
use super::output::{remark, say};
use super::registration::{Registration, Wanted};
use super::run::environment;
use crate::client::ClientError;
use crate::wire::decimal::Decimal;
use crate::wire::room::Obstacle;

const EXAMPLES: &str = "\
Examples:
  perfreg plan --location azure-k8s --factor 0.5
  perfreg plan --location azure-k8s --exclusive --wait 2h
  perfreg plan --location azure-k8s --factor 0.5 --json | jq .estimated_start";
const HELP: &str = "\
Exit codes:
   0  it would start now
  65  the factor can never fit at this location
  75  it would not start now";

/// Ask whether a test would start now, what is in its way, and when it would start.
///
/// It changes nothing. --location and --factor are enough; with the other names the registry knows how long the
/// test usually runs.
#[derive(Args)]
#[command(before_help = EXAMPLES, after_long_help = HELP)]
pub struct Plan {
    #[command(flatten)]
    registration: Registration,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Deserialize)]
struct Planned {
    message: String,
    obstacle: Option<Obstacle>,
    largest_factor: Option<Decimal>,
}

impl Plan {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let wanted = self.registration.plan(environment::of_this_process().await).map_err(Failure::CommandLine)?;
        Ok(plan(&self.connection, wanted).await?)
    }
}

async fn plan(connection: &Connection, wanted: Wanted) -> Result<ExitCode, ClientError> {
    let (client, output) = connection.open()?;
    let request = wanted.settle(async |request| client.plan(&request.into()).await).await?;
    let answer = client.plan(&(&request).into()).await?;
    let Planned { obstacle, .. } = answer.read()?;
    remark(&answer);
    output.tell(&answer, describe)?;
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
