//! `perfreg register`.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::Value;

use super::Connection;
use crate::client::ClientError;
use crate::wire::execution::Execution;
use crate::wire::register::RegisterRequest;

/// Register a test before it starts; refused, it exits 75 and says who holds the location.
#[derive(Args)]
pub struct Register {
    #[command(flatten)]
    connection: Connection,
    /// Source repository.
    #[arg(long)]
    repo: String,
    /// LAC of the test, as the registry has always called it.
    #[arg(long)]
    lac: String,
    /// Stream, such as the branch.
    #[arg(long)]
    stream: String,
    /// Name of the test.
    #[arg(long)]
    test: String,
    /// Type of the test, such as performance.
    #[arg(long)]
    r#type: String,
    /// Environment under test.
    #[arg(long)]
    environment: String,
    /// Who or what started it.
    #[arg(long)]
    triggered_by: String,
    /// Share of the location it takes, such as 0.5.
    #[arg(long, allow_hyphen_values = true)]
    factor: Option<String>,
    /// Where it runs; without one it is bound by nothing.
    #[arg(long)]
    location: Option<String>,
    /// Link to its dashboard.
    #[arg(long, value_name = "URL")]
    dashboard_url: Option<String>,
    /// A further field to keep with it; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = extra_field)]
    extra: Vec<(String, String)>,
}

fn extra_field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a further field is given as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Register {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let request = RegisterRequest {
            repo: self.repo,
            lac: self.lac,
            stream: self.stream,
            test: self.test,
            r#type: self.r#type,
            environment: self.environment,
            triggered_by: self.triggered_by,
            factor: self.factor,
            dashboard_url: self.dashboard_url,
            location: self.location,
            wait_seconds: None,
            priority: None,
            lease_seconds: None,
            expected_seconds: None,
            extra: self.extra.into_iter().map(|(name, value)| (name, Value::String(value))).collect::<BTreeMap<_, _>>(),
        };
        let answer = match client.register(&request).await {
            Ok(answer) => answer,
            Err(error) => {
                output.print_refusal(&error)?;
                return Err(error);
            }
        };
        output.print(&answer, |execution: Execution| format!("Registered as run {}.", execution.run_id))
    }
}
