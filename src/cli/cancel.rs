//! `perfreg cancel`.

use clap::{ArgGroup, Args};
use jiff::Timestamp;

use super::by::By;
use super::complete::ended;
use super::connection::Connection;
use super::duration::exact;
use super::output::in_lines;
use super::past::point_in_time;
use super::table::{Column, table};
use super::terminal::table_width;
use super::values::run_id;
use crate::client::ClientError;
use crate::wire::cancel::{CancelBeforeRequest, CancelBeforeResponse, CancelRequest, CancelledRun};
use crate::wire::execution::Execution;

const MANY: [&str; 2] = ["location", "without_location"];

const EXAMPLES: &str = "\
Examples:
  perfreg cancel 7 --reason 'the wrong build'
  perfreg cancel --location azure-k8s --started-before 3d --dry-run
  perfreg cancel --location azure-k8s --started-before 3d";

/// Cancel one test, or all that started at a location before some time.
///
/// A test that waits, or has no lease, is ended at once. The runner of a test with a lease is asked to stop.
#[derive(Args)]
#[command(before_help = EXAMPLES, group = ArgGroup::new("which").required(true).args(["run_id", "location", "without_location"]))]
pub struct Cancel {
    /// Number of the test, as perfreg status shows it.
    #[arg(value_parser = run_id)]
    run_id: Option<i64>,
    /// End a test with a lease at once, instead of asking its runner to stop.
    #[arg(long, conflicts_with_all = MANY, help_heading = "One test")]
    force: bool,
    /// Cancel all that runs at this location and started before --started-before.
    #[arg(long, value_name = "NAME", requires = "started_before", help_heading = "Many tests")]
    location: Option<String>,
    /// As --location, for the tests that name no location.
    #[arg(long, requires = "started_before", help_heading = "Many tests")]
    without_location: bool,
    /// A time, a date in UTC, a time of the day here, or how long ago: 2026-11-22T14:03:00Z, 2026-11-22, 14:03, 3d.
    #[arg(long, value_name = "WHEN", value_parser = point_in_time, conflicts_with = "run_id",
          help_heading = "Many tests")]
    started_before: Option<Timestamp>,
    /// Only show what would be cancelled.
    #[arg(long, conflicts_with = "run_id", help_heading = "Many tests")]
    dry_run: bool,
    /// Why, for the runner that is asked to stop, and for the events.
    #[arg(long, value_name = "TEXT", help_heading = "Why and who")]
    reason: Option<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    connection: Connection,
}

impl Cancel {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let Self { run_id, location, without_location, started_before, dry_run, reason, by, force, .. } = self;
        let by = by.name();
        if let Some(run_id) = run_id {
            let answer = client.cancel(&CancelRequest { run_id, reason, by, force }).await?;
            return output.tell(&answer, |execution: Execution| match &execution.stop {
                Some(_) if execution.end_time.is_none() => format!("Run {} is asked to stop.", execution.run_id),
                _ => ended(&execution),
            });
        }
        let place = location.as_ref().map_or_else(|| "without a location".to_owned(), |name| format!("at {name}"));
        let started_before = started_before.map(|time| time.to_string()).unwrap_or_default();
        let request = CancelBeforeRequest { location, without_location, started_before, dry_run, reason, by };
        let answer = client.cancel_before(&request).await?;
        output.print(&answer, |cancelled: CancelBeforeResponse| describe(&cancelled, &place))
    }
}

fn describe(cancelled: &CancelBeforeResponse, place: &str) -> String {
    let CancelBeforeResponse { dry_run, started_before, ended, stopping, more, .. } = cancelled;
    let mut parts = Vec::new();
    if ended.is_empty() && stopping.is_empty() {
        parts.push(in_lines(&format!("Nothing that started before {started_before:.0} runs {place}.")));
    }
    let (ends, stops) =
        if *dry_run { ("would be ended", "would be asked to stop") } else { ("ended", "asked to stop") };
    for (runs, lease, becomes) in [(ended, "without", ends), (stopping, "with", stops)] {
        if !runs.is_empty() {
            let count = if runs.len() == 1 { "1 run".to_owned() } else { format!("{} runs", runs.len()) };
            parts.push(format!("{count} {lease} a lease {becomes}:\n\n{}", runs_table(runs)));
        }
    }
    if *more && *dry_run {
        parts.push("There are more, which this list has no room for.".to_owned());
    } else if *more {
        parts.push(in_lines("There are more; run the same command again for the rest."));
    } else if *dry_run && !(ended.is_empty() && stopping.is_empty()) {
        parts.push(in_lines("Nothing was changed; the same command without --dry-run does it."));
    }
    parts.join("\n\n")
}

fn runs_table(runs: &[CancelledRun]) -> String {
    let row = |run: &CancelledRun| {
        let started = exact(run.start_time);
        [run.run_id.to_string(), run.test.clone(), run.factor.to_string(), run.triggered_by.clone(), started]
    };
    let columns = [
        Column::number("RUN"),
        Column::text("TEST"),
        Column::number("FACTOR"),
        Column::text("BY"),
        Column::whole("STARTED"),
    ];
    table(columns, runs.iter().map(row).collect(), table_width(false))
}
