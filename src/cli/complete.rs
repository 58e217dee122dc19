//! `perfreg complete`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::connection::Connection;
use super::values::run_id;
use crate::client::ClientError;
use crate::wire::complete::{CompleteRequest, CompleteStatus};
use crate::wire::execution::Execution;

const EXAMPLES: &str = "\
Examples:
  perfreg complete 7 success
  perfreg complete 7 \"$CI_JOB_STATUS\"
  perfreg complete 7 success --lease-token-file token";

/// Say how a test ended, which gives its share back.
///
/// Saying the same again does no harm. perfreg run does it by itself.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub struct Complete {
    /// Number that register gave the test.
    #[arg(value_parser = run_id)]
    run_id: i64,
    /// How it ended: success, failure or cancelled, or a CI system's word for one of them.
    #[arg(value_parser = status)]
    status: CompleteStatus,
    /// Secret that register gave a test with a lease.
    #[arg(long, env = "PERFREG_LEASE_TOKEN", hide_env_values = true, value_name = "TOKEN", help_heading = "What")]
    lease_token: Option<String>,
    /// File with that secret, as register writes it; it goes before --lease-token.
    #[arg(long, value_name = "FILE", help_heading = "What")]
    lease_token_file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

fn status(word: &str) -> Result<CompleteStatus, String> {
    CompleteStatus::of_word(word).ok_or_else(|| {
        format!("{word:?} is no end; give success, failure or cancelled, or a CI system's word for one of them")
    })
}

impl Complete {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let Self { run_id, status, .. } = self;
        let lease_token = self.lease_token_file.as_deref().map(read_token).transpose()?.or(self.lease_token);
        let answer = client.complete(&CompleteRequest { run_id, status, lease_token, receipt: None }).await?;
        output.tell(&answer, |execution: Execution| ended(&execution))
    }
}

fn read_token(file: &Path) -> Result<String, ClientError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        ClientError::Options(format!("cannot read the lease token from {}: {error}", file.display()))
    })?;
    Ok(text.trim().to_owned())
}

pub fn ended(execution: &Execution) -> String {
    format!("Run {} ended: {}.", execution.run_id, execution.status)
}
