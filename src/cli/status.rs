//! `perfreg status`.

use clap::Args;

use super::board::{board_text, fullness};
use super::connection::Connection;
use super::terminal::table_width;
use crate::client::ClientError;
use crate::clock;
use crate::wire::board::{Board, BoardQuery, MOST_SHOWN};

const EXAMPLES: &str = "\
Examples:
  perfreg status
  perfreg status --location azure-k8s
  perfreg status --json | jq '.locations[].runs[].run_id'";

/// Show what runs, who waits with position and expected start, and what is closed.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub struct Status {
    /// Only this location.
    #[arg(long, value_name = "NAME", help_heading = "What")]
    location: Option<String>,
    /// Show every column whole, however narrow the terminal is.
    #[arg(long, help_heading = "Output")]
    wide: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Status {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let is_one = self.location.is_some();
        let answer = client.board(&BoardQuery { location: self.location, limit: Some(MOST_SHOWN) }).await?;
        output.print(&answer, |board: Board| {
            let text = board_text(&board, clock::now(), table_width(self.wide));
            let fullness = board.locations.first().filter(|_| is_one).and_then(fullness);
            fullness.into_iter().chain([text]).collect::<Vec<_>>().join("\n\n")
        })
    }
}
