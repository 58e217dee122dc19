//! `perfreg wait`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::{Instant, sleep};

use super::ask::{Limits, SLOWEST_ANSWER, ask_until};
use super::complete::ended;
use super::connection::Connection;
use super::duration::seconds;
use super::exit;
use super::failure::Failure;
use super::output::{Output, clause, say};
use super::values::run_id;
use crate::client::{Answer, ClientError};
use crate::wire::execution::{Execution, ExecutionStatus};

/// The registry holds nobody for longer.
const LONGEST_HOLD: Duration = Duration::from_secs(30);
const EXAMPLES: &str = "\
Examples:
  perfreg wait 7
  perfreg wait 7 --for started --timeout 10m";
const HELP: &str = "\
While the registry cannot be reached, it tries again. It only watches: a start
that it sees may still be withdrawn from a test that does not hear of it, so a
load waits by perfreg run, or by perfreg register --wait.

Exit codes:
   0  the test was a success; with --for started, it runs, or has run to its end
   1  it failed or was cancelled; with --for started, it was cancelled
  76  neither has happened within --timeout, as far as the registry could say";
const PAUSE: Duration = Duration::from_secs(1);

/// Wait until a test has ended, or has started.
#[derive(Args)]
#[command(before_help = EXAMPLES, after_long_help = HELP)]
pub struct Wait {
    /// Number that register gave the test.
    #[arg(value_parser = run_id)]
    run_id: i64,
    /// What to wait for.
    #[arg(long = "for", value_name = "EVENT", default_value = "ended", help_heading = "Waiting")]
    event: Event,
    /// How long to wait at the most, such as 10m; then it exits with 76.
    #[arg(long, value_name = "DURATION", value_parser = seconds, help_heading = "Waiting")]
    timeout: Option<u32>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, ValueEnum)]
enum Event {
    Started,
    Ended,
}

impl Event {
    /// Whether it has happened; none while it may still happen.
    fn has_happened(self, status: ExecutionStatus) -> Option<bool> {
        match (self, status) {
            (_, ExecutionStatus::Queued) | (Self::Ended, ExecutionStatus::Running) => None,
            (_, ExecutionStatus::Cancelled) | (Self::Ended, ExecutionStatus::Failure) => Some(false),
            (_, ExecutionStatus::Success) | (Self::Started, _) => Some(true),
        }
    }
}

impl Wait {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let (client, output) = self.connection.open()?;
        let give_up = self.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
        let limits =
            Limits { give_up, slowest_answer: LONGEST_HOLD + SLOWEST_ANSWER, goes_on: ClientError::is_temporary };
        let mut version = -1;
        loop {
            let call = async || client.execution(self.run_id, hold_seconds(give_up), version).await;
            let answer = match ask_until(limits, &client, "trying again", call).await {
                Err(error) if error.is_temporary() => {
                    return Err(Failure::WaitedInVain(format!("{}; given up", clause(&error))));
                }
                answer => answer?,
            };
            let execution: Execution = answer.read()?;
            if let Some(happened) = self.event.has_happened(execution.status) {
                output.tell(&answer, |execution: Execution| describe(&execution))?;
                return Ok(if happened { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            if give_up.is_some_and(|time| Instant::now() >= time) {
                return Ok(give_up_on(&answer, &execution, &output)?);
            }
            if version == execution.version {
                sleep(PAUSE.min(left(give_up))).await;
            }
            version = execution.version;
        }
    }
}

/// How long the next call is to be held; at least for a second, or it would be asked in a circle.
fn hold_seconds(give_up: Option<Instant>) -> u32 {
    let held = left(give_up).clamp(Duration::from_secs(1), LONGEST_HOLD).as_secs();
    u32::try_from(held).unwrap_or_default()
}

fn left(give_up: Option<Instant>) -> Duration {
    give_up.map_or(Duration::MAX, |time| time.saturating_duration_since(Instant::now()))
}

fn give_up_on(answer: &Answer, execution: &Execution, output: &Output) -> Result<ExitCode, ClientError> {
    output.tell(answer, |execution: Execution| describe(&execution))?;
    say(&format!("run {} is still {}; given up", execution.run_id, execution.status));
    Ok(ExitCode::from(exit::WAITED_IN_VAIN))
}

fn describe(execution: &Execution) -> String {
    match execution.status {
        ExecutionStatus::Queued => format!("Run {} waits.", execution.run_id),
        ExecutionStatus::Running => format!("Run {} runs.", execution.run_id),
        _ => ended(execution),
    }
}
