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
use super::duration::exact;
use super::output::write_line;
use super::terminal::{can_redraw, columns, fit, table_width};
use crate::client::{Client, ClientError};
use crate::clock;
use crate::wire::board::{Board, BoardLocation, BoardQuery};

const INTERVAL: Duration = Duration::from_secs(2);
const ROWS_UNLESS_TOLD: u16 = 24;
/// The rows for the time, the heads of three tables, what each has no room for, and what is between them; and two for what is
/// closed.
const ROWS_BESIDE: usize = 15;
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
        let rows = screen.as_ref().map(Screen::rows);
        let view = |now| match &current {
            Ok(board) => describe(board, now, rows),
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
    exact(clock::now())
}

async fn look(client: &Client) -> Result<Board, ClientError> {
    client.within(SLOWEST_ANSWER, client.board(&BoardQuery::default())).await?.read()
}

/// All of it, or as much as fits into so many rows: what runs, who waits and the locations each get a share of them.
fn describe(board: &Board, now: Timestamp, rows: Option<usize>) -> String {
    // A line that fills the terminal could not be redrawn.
    let width = table_width(false).map(|width| width.saturating_sub(1));
    let count = |list: fn(&BoardLocation) -> usize| board.locations.iter().map(list).sum::<usize>();
    let counts = [count(|here| here.runs.len()), count(|here| here.queue.len()), board.locations.len()];
    let [runs, waiters, locations] =
        rows.map_or(counts, |rows| shares(rows.saturating_sub(ROWS_BESIDE).max(3), counts));
    let shown = shortened(board, runs, waiters);
    let nothing_waits = board.locations.iter().all(|here| here.waiting == 0).then(|| "Nothing waits.".to_owned());
    let parts = [Some(board_text(&shown, now, width)), nothing_waits, Some(locations_text(board, locations, width))];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

/// How many of each there is room for: a third of the rows for each, and what one leaves for the others.
fn shares(rows: usize, counts: [usize; 3]) -> [usize; 3] {
    let mut shares = counts.map(|count| count.min(rows / 3));
    let mut left = rows - shares.iter().sum::<usize>().min(rows);
    for (share, count) in shares.iter_mut().zip(counts) {
        let more = left.min(count - *share);
        *share += more;
        left -= more;
    }
    shares
}

/// The board with so many runs and waiters, the first of each; its counts still say how many there are.
fn shortened(board: &Board, mut runs: usize, mut waiters: usize) -> Board {
    let mut board = board.clone();
    for here in &mut board.locations {
        here.runs.truncate(runs);
        here.queue.truncate(waiters);
        runs -= here.runs.len();
        waiters -= here.queue.len();
    }
    board
}

/// The terminal's other screen, left again however the view ends.
struct Screen(io::Stdout);

impl Screen {
    fn open() -> Self {
        let output = io::stdout();
        let _ = write!(output.lock(), "{OPEN_SCREEN}");
        Self(output)
    }

    fn rows(&self) -> usize {
        let rows = tcgetwinsize(&self.0).map_or(0, |size| size.ws_row);
        usize::from(if rows == 0 { ROWS_UNLESS_TOLD } else { rows })
    }

    fn draw(&self, view: &str) {
        let rows = self.rows();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_share_of_the_rows_and_what_others_leave() {
        assert_eq!(shares(9, [40, 40, 40]), [3, 3, 3]);
        assert_eq!(shares(9, [40, 1, 2]), [6, 1, 2]);
        assert_eq!(shares(9, [1, 0, 40]), [1, 0, 8]);
        assert_eq!(shares(9, [2, 2, 2]), [2, 2, 2]);
        assert_eq!(shares(0, [5, 5, 5]), [0, 0, 0]);
    }
}
