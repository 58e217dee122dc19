//! `perfreg wait`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::{Instant, sleep};

use super::complete::ended;
use super::duration::seconds;
use super::output::say;
use super::{Connection, exit};
use crate::client::{Answer, ClientError};
use crate::wire::execution::{Execution, ExecutionStatus};

/// The registry holds nobody for longer.
const LONGEST_HOLD_SECONDS: u64 = 30;
const HELP: &str = "\
Exit codes:
   0  the test was a success; with --for started, it runs, or has run to its end
   1  it failed or was cancelled; with --for started, it was cancelled
  76  neither has happened within --timeout
While the registry cannot be reached, it tries again.";
const PAUSE: Duration = Duration::from_secs(1);

/// Wait until a test has ended, or has started.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Wait {
    #[command(flatten)]
    connection: Connection,
    /// The number that register gave it.
    run_id: i64,
    /// What to wait for.
    #[arg(long = "for", value_name = "EVENT", default_value = "ended")]
    event: Event,
    /// How long to wait at the most, such as 10m; then it exits 76.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    timeout: Option<u32>,
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
    pub async fn run(self) -> ExitCode {
        self.wait().await.unwrap_or_else(|error| exit::fail(&error))
    }

    async fn wait(&self) -> Result<ExitCode, ClientError> {
        let (client, output) = self.connection.open()?;
        let give_up = self.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
        let (mut version, mut is_said) = (-1, false);
        loop {
            let left = give_up.map_or(u64::MAX, |time| time.saturating_duration_since(Instant::now()).as_secs());
            let hold = u32::try_from(left.clamp(1, LONGEST_HOLD_SECONDS)).unwrap_or_default();
            match client.execution(self.run_id, hold, version).await {
                Ok(answer) => {
                    let execution: Execution = answer.read()?;
                    if let Some(happened) = self.event.has_happened(execution.status) {
                        output.print(&answer, |execution: Execution| describe(&execution))?;
                        return Ok(if happened { ExitCode::SUCCESS } else { ExitCode::FAILURE });
                    }
                    if give_up.is_some_and(|time| Instant::now() >= time) {
                        return give_up_on(&answer, &execution, &output);
                    }
                    if version == execution.version {
                        sleep(PAUSE.min(Duration::from_secs(left))).await;
                    }
                    version = execution.version;
                }
                Err(error) if error.is_temporary() && give_up.is_none_or(|time| Instant::now() < time) => {
                    if !std::mem::replace(&mut is_said, true) {
                        say(&format!("{error}; trying again"));
                    }
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn give_up_on(answer: &Answer, execution: &Execution, output: &super::Output) -> Result<ExitCode, ClientError> {
    output.print(answer, |execution: Execution| describe(&execution))?;
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
