//! What a client command's exit code says to a script.

use std::process::ExitCode;

use serde::Deserialize;

use crate::client::ClientError;

pub const HELP: &str = "\
Exit codes of the client commands:
   0  done
   1  the server said no for another reason, which is printed
   2  the command line was wrong
  65  refused for good: the factor can never fit at this location
  69  the server, or its database, cannot be reached
  75  refused for now: there is no room; try again later";

const REFUSED_FOR_GOOD: u8 = 65;
const UNREACHABLE: u8 = 69;
const REFUSED_FOR_NOW: u8 = 75;

#[derive(Deserialize)]
struct Refusal {
    permanent: bool,
}

/// Prints what went wrong and picks the code, after BSD's `sysexits.h`.
pub fn fail(error: &ClientError) -> ExitCode {
    eprintln!("perfreg: {error}");
    match error {
        ClientError::Url { .. } => ExitCode::from(2),
        ClientError::Output(_) => ExitCode::FAILURE,
        ClientError::Unreachable { .. } | ClientError::NotARegistry(_) => ExitCode::from(UNREACHABLE),
        ClientError::Refused { problem, .. } if problem.status == 503 => ExitCode::from(UNREACHABLE),
        ClientError::Refused { body, .. } => match serde_json::from_str(body) {
            Ok(Refusal { permanent: true }) => ExitCode::from(REFUSED_FOR_GOOD),
            Ok(Refusal { permanent: false }) => ExitCode::from(REFUSED_FOR_NOW),
            Err(_) => ExitCode::FAILURE,
        },
    }
}
