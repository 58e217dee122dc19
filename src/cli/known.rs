//! Whether the registry knows what a command line names.
//!
//! Only its refusal counts: where it does not answer, the command itself says so.

use super::ask::SLOWEST_ANSWER;
use crate::client::{Answer, Client, ClientError};
use crate::wire::board::BoardQuery;

/// # Errors
/// If the location was never used nor set; the error names the one closest to it.
pub async fn location(client: &Client, name: &str) -> Result<(), ClientError> {
    let query = BoardQuery { location: Some(name.to_owned()), limit: Some(0) };
    refusal(client.within(SLOWEST_ANSWER, client.board(&query)).await)
}

/// # Errors
/// If no run has this number.
pub async fn run(client: &Client, run_id: i64) -> Result<(), ClientError> {
    refusal(client.within(SLOWEST_ANSWER, client.find(run_id)).await)
}

fn refusal(answer: Result<Answer, ClientError>) -> Result<(), ClientError> {
    match answer {
        Err(error @ ClientError::Refused { .. }) => Err(error),
        _ => Ok(()),
    }
}
