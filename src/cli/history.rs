//! `perfreg history`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;

use super::connection::Connection;
use super::past::{in_order, point_in_time};
use super::runs::runs_table;
use super::terminal::table_width;
use super::values::history_cursor;
use crate::client::ClientError;
use crate::clock;
use crate::wire::history::{HistoryQuery, HistoryResponse};

const EXAMPLES: &str = "\
Examples:
  perfreg history --location azure-k8s --from 2d
  perfreg history --test 'soak%' --status failure
  perfreg history --from 2026-11-01 --to 2026-12-01 --limit 1000 --json";
const STATUSES: [&str; 5] = ["queued", "running", "success", "failure", "cancelled"];
const LARGEST_PAGE: i64 = 1_000;

/// Show what ran, newest first.
///
/// In a text that a test is looked for by, % stands for any characters, and case does not count.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub struct History {
    /// Location of the tests.
    #[arg(long, value_name = "TEXT", help_heading = "Which tests")]
    location: Option<String>,
    /// Name of the tests, such as soak%.
    #[arg(long, value_name = "TEXT", help_heading = "Which tests")]
    test: Option<String>,
    /// Whether they wait or run, or how they ended.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(STATUSES), help_heading = "Which tests")]
    status: Option<String>,
    /// Started at or after this: a time, a date in UTC, a time of the day here, or how long ago, such as 14:03 or 2d.
    #[arg(long, value_name = "WHEN", value_parser = point_in_time, help_heading = "Which tests")]
    from: Option<Timestamp>,
    /// Started before this.
    #[arg(long, value_name = "WHEN", value_parser = point_in_time, help_heading = "Which tests")]
    to: Option<Timestamp>,
    /// Stream of the tests, such as main%.
    #[arg(long, value_name = "TEXT", help_heading = "Which tests")]
    stream: Option<String>,
    /// Source repository of the tests.
    #[arg(long, value_name = "TEXT", help_heading = "Which tests")]
    repo: Option<String>,
    /// Environment under test.
    #[arg(long, value_name = "TEXT", help_heading = "Which tests", hide_short_help = true)]
    environment: Option<String>,
    /// Who or what started them.
    #[arg(long, value_name = "TEXT", help_heading = "Which tests", hide_short_help = true)]
    triggered_by: Option<String>,
    /// LAC of the tests.
    #[arg(long, value_name = "TEXT", help_heading = "Which tests", hide_short_help = true)]
    lac: Option<String>,
    /// Type of the tests.
    #[arg(long, value_name = "TEXT", help_heading = "Which tests", hide_short_help = true)]
    r#type: Option<String>,
    /// How many to show, up to 1000.
    #[arg(long, default_value_t = 20, value_name = "COUNT", help_heading = "Output",
          value_parser = clap::value_parser!(u32).range(1..=LARGEST_PAGE))]
    limit: u32,
    /// Show every column whole, however narrow the terminal is.
    #[arg(long, help_heading = "Output")]
    wide: bool,
    /// Where the page before said that this one begins.
    #[arg(long, value_parser = history_cursor, allow_hyphen_values = true, help_heading = "Output")]
    cursor: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl History {
    pub async fn run(self) -> Result<(), ClientError> {
        in_order(self.from, self.to)?;
        let (client, output) = self.connection.open()?;
        let query = HistoryQuery {
            stream: self.stream,
            location: self.location,
            status: self.status.map(|status| status.to_lowercase()),
            test: self.test,
            repo: self.repo,
            lac: self.lac,
            r#type: self.r#type,
            environment: self.environment,
            triggered_by: self.triggered_by,
            from: self.from.map(|time| time.to_string()),
            to: self.to.map(|time| time.to_string()),
            limit: Some(self.limit),
            cursor: self.cursor,
        };
        let answer = client.history(&query).await?;
        output.print(&answer, |page: HistoryResponse| {
            let more = page.next.map(|next| format!("\n\nOlder ones: --cursor {next}")).unwrap_or_default();
            match page.executions.as_slice() {
                [] => "Nothing matches.".to_owned(),
                executions => format!("{}{more}", runs_table(executions, clock::now(), table_width(self.wide))),
            }
        })
    }
}
