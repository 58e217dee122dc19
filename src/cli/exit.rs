//! What a client command's exit code says to a script.

use std::process::ExitCode;

use serde::Deserialize;

use super::output::say;
use crate::client::ClientError;
use crate::wire::problem::FieldError;
use crate::wire::room::Obstacle;

pub const HELP: &str = "\
Exit codes of the client commands:
   0  done
   1  the server said no for another reason, which is printed
   2  the command line was wrong
  65  refused for good: the factor can never fit at this location
  69  the server, or its database, cannot be reached
  75  refused for now: there is no room; try again later
  76  waited in vain
  77  a proxy, or what stands before the server, does not let it through (401,
      403, 407)
  78  the way to the server is set up wrong: it has moved, or its certificate,
      or a proxy's variable, cannot be used; to try again does not help

perfreg run exits with the code of its command, or as its --help says. With
--json every command prints what went wrong as a problem document as well.";

/// What to do about a factor that never fits.
pub const ASK_FOR_ALL: &str = "--exclusive asks for as much as fits.";

pub const FAILED: u8 = 1;
pub const WRONG_COMMAND_LINE: u8 = 2;
pub const REFUSED_FOR_GOOD: u8 = 65;
pub const UNREACHABLE: u8 = 69;
const REFUSED_FOR_NOW: u8 = 75;
pub const WAITED_IN_VAIN: u8 = 76;
const DENIED: u8 = 77;
const WRONG_SETUP: u8 = 78;
pub const STOPPED: u8 = 79;
pub const LOST: u8 = 80;
pub const CANNOT_RUN: u8 = 126;
pub const NOT_FOUND: u8 = 127;

/// Why a test may not start, as the registry says it.
#[derive(Deserialize)]
struct Refusal {
    permanent: bool,
    /// Not told by a server of an earlier version.
    reason: Option<String>,
    obstacle: Option<Obstacle>,
    #[serde(default)]
    remarks: Vec<String>,
}

impl Refusal {
    /// What the registry says, with what to do about it on a command line.
    fn sentence(&self) -> Option<String> {
        let advice = match self.obstacle? {
            Obstacle::NeverFits => ASK_FOR_ALL,
            Obstacle::NoRoom | Obstacle::Queue | Obstacle::Gate => "Add --wait 2h to queue for it.",
            Obstacle::QueueFull => "Try again later.",
        };
        Some(format!("{} {advice}", self.reason.as_ref()?))
    }
}

/// Prints what went wrong and picks the code, after BSD's `sysexits.h`.
pub fn fail(error: &ClientError) -> ExitCode {
    let refusal = match error {
        ClientError::Refused { body, .. } => serde_json::from_str::<Refusal>(body).ok(),
        _ => None,
    };
    for remark in refusal.iter().flat_map(|refusal| &refusal.remarks) {
        say(remark);
    }
    say(&refusal.as_ref().and_then(Refusal::sentence).unwrap_or_else(|| on_a_command_line(&error.to_string())));
    match (error, refusal) {
        (ClientError::Url { .. } | ClientError::Options(_), _) => ExitCode::from(WRONG_COMMAND_LINE),
        (ClientError::Denied(_), _) => ExitCode::from(DENIED),
        (ClientError::Setup(_), _) => ExitCode::from(WRONG_SETUP),
        (ClientError::Unreachable { .. } | ClientError::NotARegistry { .. }, _) => ExitCode::from(UNREACHABLE),
        (ClientError::Refused { problem, .. }, _) if problem.status == 503 => ExitCode::from(UNREACHABLE),
        (ClientError::Refused { problem, .. }, _) if problem.errors.iter().any(never_fits) => {
            ExitCode::from(REFUSED_FOR_GOOD)
        }
        (_, Some(Refusal { permanent: true, .. })) => ExitCode::from(REFUSED_FOR_GOOD),
        (_, Some(Refusal { permanent: false, .. })) => ExitCode::from(REFUSED_FOR_NOW),
        (_, None) => ExitCode::FAILURE,
    }
}

/// A factor that is too large for any location of that capacity is an error of the request.
fn never_fits(error: &FieldError) -> bool {
    error.obstacle == Some(Obstacle::NeverFits)
}

/// The registry names the paths of its API; on a command line these are commands.
fn on_a_command_line(sentence: &str) -> String {
    if sentence == "Running test not found" {
        return "Running test not found; perfreg status lists what runs, and perfreg history what ran.".to_owned();
    }
    [("/history lists", "perfreg history lists"), ("Look at /status", "Look at perfreg status")]
        .into_iter()
        .fold(sentence.to_owned(), |sentence, (path, command)| {
            sentence.replace(&format!("{path} "), &format!("{command} "))
        })
}

/// What a plan says to a script.
pub fn of_plan(obstacle: Option<Obstacle>) -> ExitCode {
    match obstacle {
        None => ExitCode::SUCCESS,
        Some(Obstacle::NeverFits) => ExitCode::from(REFUSED_FOR_GOOD),
        Some(_) => ExitCode::from(REFUSED_FOR_NOW),
    }
}

/// Prints why this can never be.
pub fn refuse_for_good(why: &str) -> ExitCode {
    say(why);
    ExitCode::from(REFUSED_FOR_GOOD)
}

/// Prints what is wrong with the command line.
pub fn wrong_command_line(what: &str) -> ExitCode {
    say(what);
    ExitCode::from(WRONG_COMMAND_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_the_registry_names_are_commands_on_a_command_line() {
        for (sentence, told) in [
            ("No test has this run_id; /history lists all.", "No test has this run_id; perfreg history lists all."),
            (
                "It may have happened. Look at /status before you try again.",
                "It may have happened. Look at perfreg status before you try again.",
            ),
            ("There is nothing at /history lists.", "There is nothing at /history lists."),
        ] {
            assert_eq!(on_a_command_line(sentence), told);
        }
        assert!(
            on_a_command_line("Running test not found")
                .ends_with("; perfreg status lists what runs, and perfreg history what ran.")
        );
    }
}
