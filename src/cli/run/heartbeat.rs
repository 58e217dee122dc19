//! The heartbeats of a load that runs.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep_until};

use super::ticket::{Heard, Ticket};
use crate::client::ClientError;
use crate::wire::execution::Stop;

/// The registry lets nobody be held for longer.
const LONGEST_HOLD_SECONDS: u64 = 30;
/// After an answer that came at once, or none.
const PAUSE: Duration = Duration::from_secs(1);

/// What the heartbeats find out, each once.
pub enum News {
    Stop(Stop),
    /// It has ended at the registry; why, and whether it was lost.
    Over {
        why: String,
        lost: bool,
    },
    Silent(ClientError),
    /// Nobody has answered for two leases, after which the share may be given to somebody else.
    Overdue,
    HeardAgain,
}

/// Beats until the run has ended at the registry, or nobody listens to the news.
pub async fn beat(ticket: Ticket, news: Sender<News>) {
    let third = (ticket.lease.as_secs() / 3).clamp(1, LONGEST_HOLD_SECONDS);
    let hold = u32::try_from(third).unwrap_or_default();
    let (mut is_silent, mut is_overdue) = (false, false);
    // Of the stop that is known: until the next change, such as an end by force, it is no news.
    let mut stopping_version = None;
    let mut heard_at = Instant::now();
    loop {
        let start = Instant::now();
        let heard = ticket.beat(hold, stopping_version).await;
        let found = match heard {
            Heard::Over { why, lost } => {
                let _ = news.send(News::Over { why, lost }).await;
                return;
            }
            Heard::Alive(standing) => {
                heard_at = Instant::now();
                is_overdue = false;
                let again = std::mem::replace(&mut is_silent, false).then_some(News::HeardAgain);
                let is_known = stopping_version.is_some();
                if standing.stop.is_some() {
                    stopping_version = Some(standing.version.unwrap_or_default());
                }
                let stop = standing.stop.filter(|_| !is_known);
                [again, stop.map(News::Stop)]
            }
            Heard::Silence(error) => {
                let silent = (!std::mem::replace(&mut is_silent, true)).then_some(News::Silent(error));
                let is_late = !is_overdue && heard_at.elapsed() > 2 * ticket.lease;
                is_overdue |= is_late;
                [silent, is_late.then_some(News::Overdue)]
            }
        };
        for one in found.into_iter().flatten() {
            if news.send(one).await.is_err() {
                return;
            }
        }
        sleep_until(start + PAUSE).await;
    }
}
