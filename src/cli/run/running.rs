//! A load that runs: what reaches it, and what is said of its end.

use std::ffi::OsString;
use std::future::pending;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::heartbeat::{self, News};
use super::load::{Change, Load};
use super::signals::{NO_SUSPENSION, Signals, is_interrupt};
use super::ticket::{Standing, Ticket};
use super::{LATE_ANSWER, cannot_start};
use crate::cli::exit::{CANNOT_RUN, LOST, STOPPED};
use crate::cli::output::say;
use crate::wire::complete::CompleteStatus;
use crate::wire::execution::Stop;

/// For how long the end is told again while nobody hears it.
const REPORT_FOR: Duration = Duration::from_mins(2);

/// What to run, and what to do when something happens to it.
pub struct Rules {
    pub command: Vec<OsString>,
    pub url: String,
    pub stop_grace: Duration,
    pub stop_if_lost: bool,
}

/// Why the load was made to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Stopped,
    Lost,
}

/// A load that runs, and what has happened to it so far.
struct Running {
    load: Load,
    rules: Rules,
    cause: Option<Cause>,
    is_interrupted: bool,
    kill_at: Option<Instant>,
}

/// Runs the command under a lease, and says how it ended.
pub async fn run(ticket: &Ticket, standing: &Standing, rules: Rules, signals: &mut Signals) -> ExitCode {
    let fence = standing.fence.map(|fence| fence.to_string()).unwrap_or_default();
    let variables = vec![
        ("PERFREG_RUN_ID", ticket.run_id.to_string()),
        ("PERFREG_FENCE", fence),
        ("PERFREG_URL", rules.url.clone()),
    ];
    let load = match Load::start(&rules.command, variables).await {
        Ok(load) => load,
        Err(error) => {
            report(ticket, CompleteStatus::Failure, signals).await;
            return cannot_start(&error);
        }
    };
    let (sender, news) = mpsc::channel(4);
    let beats = tokio::spawn(heartbeat::beat(ticket.clone(), sender));
    let mut running = Running { load, rules, cause: None, is_interrupted: false, kill_at: None };
    let code = running.until_its_end(signals, Some(news)).await;
    beats.abort();
    match (running.cause, code) {
        (Some(Cause::Lost), _) => ExitCode::from(LOST),
        (Some(Cause::Stopped), _) => {
            report(ticket, CompleteStatus::Cancelled, signals).await;
            ExitCode::from(STOPPED)
        }
        (None, code) => {
            let status = match code {
                0 => CompleteStatus::Success,
                _ if running.is_interrupted => CompleteStatus::Cancelled,
                _ => CompleteStatus::Failure,
            };
            report(ticket, status, signals).await;
            ExitCode::from(code)
        }
    }
}

/// Runs the command although nobody knows of it.
pub async fn run_unregistered(rules: Rules, signals: &mut Signals) -> ExitCode {
    match Load::start(&rules.command, vec![("PERFREG_URL", rules.url.clone())]).await {
        Ok(load) => {
            let mut running = Running { load, rules, cause: None, is_interrupted: false, kill_at: None };
            ExitCode::from(running.until_its_end(signals, None).await)
        }
        Err(error) => cannot_start(&error),
    }
}

impl Running {
    /// The exit code of the command.
    async fn until_its_end(&mut self, signals: &mut Signals, mut news: Option<mpsc::Receiver<News>>) -> u8 {
        loop {
            tokio::select! {
                change = self.load.changed() => match change {
                    Ok(Change::Interrupted) => self.is_interrupted = true,
                    Ok(Change::Ended(code)) => return code,
                    Err(error) => {
                        say(&format!("cannot wait for the command: {error}"));
                        return CANNOT_RUN;
                    }
                },
                Some(one) = next(&mut news) => self.hear(one),
                signal = signals.next() => self.pass_on(signal),
                () = reached(self.kill_at) => {
                    say("the command did not end in time and is killed");
                    self.kill_at = None;
                    self.load.kill().await;
                }
            }
        }
    }

    fn pass_on(&mut self, signal: Signal) {
        match signal {
            Signal::TSTP => say(NO_SUSPENSION),
            Signal::CONT => self.load.go_on(),
            signal if is_interrupt(signal) => {
                self.is_interrupted = true;
                self.load.interrupt(signal);
            }
            signal => self.load.signal(signal),
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Stop(Stop { reason, by, .. }) => {
                let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
                self.stop(Cause::Stopped, &format!("the registry asks for a stop{by}: {reason}"));
            }
            News::Over { why, lost: true } if self.rules.stop_if_lost => self.stop(Cause::Lost, &why),
            News::Over { why, lost: true } => {
                say(&format!("{why}; the load goes on all the same, as --if-lost continue says"));
            }
            News::Over { why, lost: false } => self.stop(Cause::Stopped, &why),
            News::Silent(error) => say(&format!("{error}; the load goes on, and it is tried again")),
            News::Overdue => {
                say(
                    "the registry has not heard of this run for two leases, so its share may be somebody else's by now",
                );
            }
            News::HeardAgain => say("the registry can be reached again"),
        }
    }

    /// Asks the load to end, and remembers when to kill it; what came first stays the cause.
    fn stop(&mut self, cause: Cause, why: &str) {
        if self.cause.is_some() {
            return;
        }
        let grace = self.rules.stop_grace;
        say(&format!("{why}; the command has {}s to end", grace.as_secs()));
        self.cause = Some(cause);
        self.kill_at = Some(Instant::now() + grace);
        self.load.interrupt(Signal::TERM);
    }
}

/// The next news; without a registration, or after the last, there is none.
async fn next(news: &mut Option<mpsc::Receiver<News>>) -> Option<News> {
    match news {
        Some(news) => news.recv().await,
        None => pending().await,
    }
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// Says how the run ended; an interrupt leaves it at that, but lets an answer that is on its way arrive.
async fn report(ticket: &Ticket, status: CompleteStatus, signals: &mut Signals) {
    let run_id = ticket.run_id;
    let mut telling = pin!(ticket.complete(status, REPORT_FOR));
    let told = tokio::select! {
        told = &mut telling => Ok(told),
        _ = signals.interrupt() => timeout(LATE_ANSWER, telling).await,
    };
    match told {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let word = format!("{status:?}").to_lowercase();
            say(&format!("WARNING: the end of run {run_id} as {word} could not be told: {error}"));
        }
        Err(_) => say(&format!("interrupted before the end of run {run_id} was told")),
    }
}
