//! Keeping a place in the queue until the turn has come.

use std::pin::pin;
use std::time::Duration;

use jiff::tz::TimeZone;
use rustix::process::Signal;
use tokio::time::{Instant, interval, sleep};

use super::progress::{Line, Progress, waiting};
use super::signals::Signals;
use super::ticket::{Heard, Standing, Ticket};
use crate::cli::output::say;
use crate::client::ClientError;
use crate::clock;
use crate::wire::execution::ExecutionStatus;

/// How old a shown position may become.
const HOLD_SECONDS: u32 = 10;
const REDRAW: Duration = Duration::from_secs(1);
/// A server that answers at once, since it stops, is not asked in a circle.
const PAUSE: Duration = Duration::from_secs(1);
/// Beyond the time it wanted to wait, the registry may be away for so long.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

pub enum Waited {
    Admitted(Box<Standing>),
    /// The place is gone; why.
    Dropped(String),
    Interrupted(Signal),
    Unreachable(ClientError),
}

/// Waits until the run may start.
pub async fn wait(ticket: &Ticket, first: Standing, patience: Duration, signals: &mut Signals) -> Waited {
    let mut progress = Progress::new();
    let (start, zone) = (Instant::now(), TimeZone::system());
    let mut version = first.version;
    let mut ticks = interval(REDRAW);
    let mut shown: Result<Standing, String> = Ok(first);
    loop {
        let mut beat = pin!(beat(ticket, version));
        let heard = loop {
            tokio::select! {
                heard = &mut beat => break heard,
                _ = ticks.tick() => progress.show(&match &shown {
                    Ok(standing) => waiting(standing, start.elapsed(), clock::now(), &zone),
                    Err(problem) => Line::of_problem(problem),
                }),
                signal = signals.interrupt() => {
                    drop(progress);
                    give_back(ticket).await;
                    return Waited::Interrupted(signal);
                }
            }
        };
        match heard {
            Heard::Alive(standing) if standing.status == ExecutionStatus::Running => {
                return Waited::Admitted(standing);
            }
            Heard::Alive(standing) => {
                version = standing.version;
                shown = Ok(*standing);
            }
            Heard::Over { why, .. } => return Waited::Dropped(why),
            Heard::Silence(error) if start.elapsed() > patience + LONGEST_SILENCE => {
                return Waited::Unreachable(error);
            }
            Heard::Silence(error) => shown = Err(format!("run {} waits, but {error}; trying again", ticket.run_id)),
        }
    }
}

async fn beat(ticket: &Ticket, version: Option<i64>) -> Heard {
    let start = Instant::now();
    let heard = ticket.beat(HOLD_SECONDS, version).await;
    let goes_on = match &heard {
        Heard::Alive(standing) => standing.status == ExecutionStatus::Queued,
        Heard::Silence(_) => true,
        Heard::Over { .. } => false,
    };
    if goes_on {
        sleep(PAUSE.saturating_sub(start.elapsed())).await;
    }
    heard
}

/// Gives the place, or the share, back before its time.
pub async fn give_back(ticket: &Ticket) {
    match ticket.give_back().await {
        Ok(()) => say(&format!("run {} is cancelled before it has started", ticket.run_id)),
        Err(error) => say(&format!(
            "run {} could not be cancelled; it ends by itself once its heartbeats are missed: {error}",
            ticket.run_id
        )),
    }
}
