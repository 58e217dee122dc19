//! `perfreg status`.

use clap::Args;

use super::board::board_text;
use super::connection::Connection;
use super::terminal::table_width;
use crate::client::ClientError;
use crate::clock;
use crate::wire::board::{Board, BoardQuery};

/// So many runs and waiters of each location are asked for: all that there can be.
const MOST: u32 = 10_000;

/// Show what runs, who waits with position and expected start, and what is closed.
#[derive(Args)]
#[command(before_help = "Examples:\n  perfreg status\n  perfreg status --json | jq '.running[].run_id'")]
pub struct Status {
    #[command(flatten)]
    connection: Connection,
    /// Only this location.
    #[arg(long)]
    location: Option<String>,
    /// Show every column whole, however narrow the terminal is.
    #[arg(long)]
    wide: bool,
}

impl Status {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let answer = client.board(&BoardQuery { location: self.location, limit: Some(MOST) }).await?;
        output.print(&answer, |board: Board| board_text(&board, clock::now(), table_width(self.wide)))
    }
}
