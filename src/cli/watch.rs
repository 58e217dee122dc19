//! `perfreg watch`.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use rustix::termios::tcgetwinsize;
use tokio::time::sleep;

use super::ask::SLOWEST_ANSWER;
use super::board::{board_text, locations_text};
use super::connection::ServerUrl;
use super::output::write_line;
use super::terminal::{can_redraw, columns, fit, table_width};
use crate::client::{Client, ClientError};
use crate::clock;
use crate::wire::board::{Board, BoardQuery};

const INTERVAL: Duration = Duration::from_secs(2);
const ROWS_UNLESS_TOLD: u16 = 24;
const OPEN_SCREEN: &str = "\x1b[?1049h\x1b[?25l";
const CLOSE_SCREEN: &str = "\x1b[?25h\x1b[?1049l";

/// Watch what runs, who waits with position and expected start, and how full each location is, until Ctrl-C.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  perfreg watch\n  perfreg watch --url http://perfreg.example.com:8000",
    after_long_help = "Without a terminal, in a CI job and with TERM=dumb, it prints everything again whenever something has changed."
)]
pub struct Watch {
    #[command(flatten)]
    url: ServerUrl,
}

impl Watch {
    pub async fn run(self) -> Result<(), ClientError> {
        let client = self.url.client()?;
        // A registry that was never there is an error; one that goes away is shown as such.
        let first = look(&client).await?;
        tokio::select! {
            result = show(&client, first) => result,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    }
}

async fn show(client: &Client, first: Board) -> Result<(), ClientError> {
    let screen = can_redraw(&io::stdout()).then(Screen::open);
    let (mut current, mut printed) = (Ok(first), String::new());
    loop {
        let view = |now| match &current {
            Ok(board) => describe(board, now),
            Err(error) => format!("{error}; trying again"),
        };
        // At one and the same time, only what has happened makes a difference.
        let timeless = view(Timestamp::UNIX_EPOCH);
        match &screen {
            Some(screen) => screen.draw(&view(clock::now())),
            None if timeless == printed => {}
            None => {
                write_line(&format!("{}\n\n{}\n", time(), view(clock::now())))?;
                printed = timeless;
            }
        }
        sleep(INTERVAL).await;
        current = look(client).await;
    }
}

fn time() -> String {
    clock::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

async fn look(client: &Client) -> Result<Board, ClientError> {
    client.within(SLOWEST_ANSWER, client.board(&BoardQuery::default())).await?.read()
}

/// A screen may be too small, so what changes most comes first.
fn describe(board: &Board, now: Timestamp) -> String {
    // A line that fills the terminal could not be redrawn.
    let width = table_width(false).map(|width| width.saturating_sub(1));
    let nothing_waits = board.locations.iter().all(|here| here.waiting == 0).then(|| "Nothing waits.".to_owned());
    let parts = [Some(board_text(board, now, width)), nothing_waits, Some(locations_text(board, width))];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

/// The terminal's other screen, left again however the view ends.
struct Screen(io::Stdout);

impl Screen {
    fn open() -> Self {
        let output = io::stdout();
        let _ = write!(output.lock(), "{OPEN_SCREEN}");
        Self(output)
    }

    fn draw(&self, view: &str) {
        let rows = tcgetwinsize(&self.0).map_or(0, |size| size.ws_row);
        let rows = usize::from(if rows == 0 { ROWS_UNLESS_TOLD } else { rows });
        let columns = columns(&self.0);
        let head = format!("perfreg, {}; Ctrl-C leaves", time());
        let lines = [head.as_str(), ""].into_iter().chain(view.lines()).take(rows);
        let drawn: Vec<String> = lines.map(|line| format!("{}\x1b[K", fit(line, columns))).collect();
        let mut output = self.0.lock();
        let _ = write!(output, "\x1b[H{}\x1b[J", drawn.join("\r\n"));
        let _ = output.flush();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut output = self.0.lock();
        let _ = write!(output, "{CLOSE_SCREEN}");
        let _ = output.flush();
    }
}
