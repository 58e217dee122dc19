//! `perfreg history`.

use clap::Args;

use super::connection::Connection;
use super::runs::runs_table;
use super::terminal::table_width;
use crate::client::ClientError;
use crate::clock;
use crate::wire::history::{HistoryQuery, HistoryResponse};

/// Show what ran, newest first. In a text, % stands for any characters, and case does not count.
#[derive(Args)]
pub struct History {
    #[command(flatten)]
    connection: Connection,
    /// Stream, such as main%.
    #[arg(long)]
    stream: Option<String>,
    /// Where it ran.
    #[arg(long)]
    location: Option<String>,
    /// running, success, failure or cancelled.
    #[arg(long)]
    status: Option<String>,
    /// Name of the test.
    #[arg(long)]
    test: Option<String>,
    /// Source repository.
    #[arg(long)]
    repo: Option<String>,
    /// LAC of the test.
    #[arg(long)]
    lac: Option<String>,
    /// Type of the test.
    #[arg(long)]
    r#type: Option<String>,
    /// Environment under test.
    #[arg(long)]
    environment: Option<String>,
    /// Who or what started it.
    #[arg(long)]
    triggered_by: Option<String>,
    /// Started at or after this time or date, in UTC.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Started before this time or date, in UTC.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// How many to show, up to 1000.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    limit: u32,
    /// Show every column whole, however narrow the terminal is.
    #[arg(long)]
    wide: bool,
    /// Where the page before said that this one begins.
    #[arg(long)]
    cursor: Option<String>,
}

impl History {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let query = HistoryQuery {
            stream: self.stream,
            location: self.location,
            status: self.status,
            test: self.test,
            repo: self.repo,
            lac: self.lac,
            r#type: self.r#type,
            environment: self.environment,
            triggered_by: self.triggered_by,
            from: self.from,
            to: self.to,
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
