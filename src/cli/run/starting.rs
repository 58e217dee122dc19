//! What is found out before a run is registered.

use crate::cli::ask::{Limits, ask_until};
use crate::cli::registration::Wanted;
use crate::client::{Client, ClientError};
use crate::wire::register::RegisterRequest;

/// The request as it is sent, after the registry was asked for the capacity that it depends on.
pub async fn prepare(
    wanted: Wanted,
    client: &Client,
    limits: Limits,
    how: &str,
) -> Result<RegisterRequest, ClientError> {
    let plan =
        async |request: &RegisterRequest| ask_until(limits, client, how, async || client.plan(request).await).await;
    wanted.settle(plan).await
}
