//! `perfreg watch`.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use rustix::termios::tcgetwinsize;
use tokio::time::sleep;

use super::ServerUrl;
use super::locations::locations_table;
use super::output::{executions_table, write_line};
use super::run::fit;
use crate::client::{Client, ClientError};
use crate::clock;
use crate::wire::history::{HistoryQuery, HistoryResponse};
use crate::wire::location::LocationsResponse;
use crate::wire::status::StatusResponse;

const INTERVAL: Duration = Duration::from_secs(2);
/// More waiters than a screen has lines for.
const MOST_WAITERS: u32 = 100;
const OPEN_SCREEN: &str = "\x1b[?1049h\x1b[?25l";
const CLOSE_SCREEN: &str = "\x1b[?25h\x1b[?1049l";

/// Watch what runs and waits, and how full each location is, until Ctrl-C.
#[derive(Args)]
#[command(after_help = "Without a terminal, it prints everything again whenever something has changed.")]
pub struct Watch {
    #[command(flatten)]
    url: ServerUrl,
}

impl Watch {
    pub async fn run(self) -> Result<(), ClientError> {
        let client = Client::new(&self.url.server)?;
        // A registry that was never there is an error; one that goes away is shown as such.
        let first = view(&client).await?;
        tokio::select! {
            result = show(&client, first) => result,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    }
}

async fn show(client: &Client, first: String) -> Result<(), ClientError> {
    let screen = io::stdout().is_terminal().then(Screen::open);
    let (mut current, mut printed) = (first, String::new());
    loop {
        match &screen {
            Some(screen) => screen.draw(&current),
            None if current == printed => {}
            None => {
                write_line(&format!("{}\n\n{current}\n", time()))?;
                printed.clone_from(&current);
            }
        }
        sleep(INTERVAL).await;
        current = match view(client).await {
            Ok(view) => view,
            Err(error) => format!("{error}; trying again"),
        };
    }
}

fn time() -> String {
    clock::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Everything there is to see.
async fn view(client: &Client) -> Result<String, ClientError> {
    let running: StatusResponse = client.status().await?.read()?;
    let queued =
        HistoryQuery { status: Some("queued".to_owned()), limit: Some(MOST_WAITERS), ..HistoryQuery::default() };
    let waiting: HistoryResponse = client.history(&queued).await?.read()?;
    let locations: LocationsResponse = client.locations().await?.read()?;
    let list = |nothing: &str, executions: &[_]| match executions {
        [] => nothing.to_owned(),
        executions => executions_table(executions),
    };
    let locations = match locations.locations.as_slice() {
        [] => "No location has been used yet.".to_owned(),
        locations => locations_table(locations),
    };
    let waiting = list("Nothing waits.", &waiting.executions);
    Ok(format!("{locations}\n\n{}\n\n{waiting}", list("Nothing is running.", &running.running)))
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
        let size = tcgetwinsize(&self.0).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
        let (rows, columns) = size.map_or((24, 80), |size| (usize::from(size.ws_row), usize::from(size.ws_col)));
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
