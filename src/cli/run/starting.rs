//! What is found out before a run is registered.

use crate::cli::ask::{Limits, ask_until};
use crate::cli::nested::outer_run;
use crate::cli::registration::Wanted;
use crate::client::{Client, ClientError};
use crate::wire::register::RegisterRequest;

/// How the command is to start.
pub enum Start {
    /// Once the registry has admitted it.
    Registered(Box<RegisterRequest>),
    /// At once, under the share of the run that it is inside of; what to say of that.
    UnderOuterRun { run_id: i64, why: String },
    /// Not at all, since it would wait for itself; what to say of that.
    Refused(String),
}

/// Asks the registry what the request depends on: the capacity, and the run that this one is inside of.
pub async fn prepare(wanted: Wanted, client: &Client, limits: Limits, how: &str) -> Result<Start, ClientError> {
    let plan = async |request: &RegisterRequest| {
        ask_until(limits, client, how, async || client.plan(&request.into()).await).await
    };
    let request = wanted.settle(plan).await?;
    let find = async |run_id| ask_until(limits, client, how, async || client.execution(run_id, 0, 0).await).await;
    Ok(match outer_run(&request, find).await? {
        None => Start::Registered(Box::new(request)),
        Some(outer) if outer.covers(&request) => Start::UnderOuterRun { run_id: outer.run_id(), why: outer.covered() },
        Some(outer) => Start::Refused(outer.refusal()),
    })
}
