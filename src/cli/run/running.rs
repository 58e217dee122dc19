//! A load that runs: what reaches it, and what is said of its end.

use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use jiff::SignedDuration;
use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::descendants;
use super::guarding::{LONG_PAUSE, SHORTEST_ON_STOP};
use super::heartbeat;
use super::lines::{Cause, End, end_line};
use super::load::{Change, Load, Plan};
use super::protocol;
use super::remains::Remains;
use super::signals::{NO_SUSPENSION, Signals, is_interrupt};
use super::ticket::{Standing, Ticket};
use crate::cli::ask::{LATE_ANSWER, SLOWEST_ANSWER};
use crate::cli::exit::{CANNOT_RUN, LOST, STOPPED};
use crate::cli::output::say;
use crate::client::Client;
use crate::present::time::duration_text;
use crate::wire::cancel::CancelRequest;
use crate::wire::complete::CompleteStatus;
use crate::wire::execution::Stop;

/// For how long the end is told again while nobody hears it.
const REPORT_FOR: Duration = Duration::from_mins(2);
/// What the registry calls a stop because of --max.
const MAXIMUM: &str = "maximum";

/// What to run, and what to do when something happens to it.
pub struct Rules {
    pub command: Vec<OsString>,
    pub url: String,
    pub client: Client,
    pub triggered_by: String,
    pub stop_grace: Duration,
    pub stop_if_lost: bool,
    pub max: Option<Duration>,
    pub on_stop: Option<String>,
}

/// A load that runs, and what has happened to it so far.
struct Running {
    load: Load,
    plan: Plan,
    rules: Rules,
    /// The run whose share is held for it.
    share_of: Option<i64>,
    started: Instant,
    cause: Option<Cause>,
    is_interrupted: bool,
    kill_at: Option<Instant>,
    max_at: Option<Instant>,
    telling: Option<JoinHandle<()>>,
    /// What the command has ended with.
    code: Option<u8>,
    /// What may still make load.
    remains: Option<Remains>,
    has_ended: bool,
    has_lost_its_guard: bool,
}

/// Runs the command under a lease, and says how it ended.
pub async fn run(ticket: &Ticket, standing: &Standing, rules: Rules, signals: &mut Signals) -> ExitCode {
    let fence = standing.fence.map(|fence| fence.to_string()).unwrap_or_default();
    let variables = vec![
        ("PERFREG_RUN_ID", ticket.run_id.to_string()),
        ("PERFREG_FENCE", fence),
        ("PERFREG_URL", rules.url.clone()),
    ];
    let mut running = match Running::start(rules, variables, Some(ticket.run_id)).await {
        Ok(running) => running,
        Err(error) => {
            report(ticket, CompleteStatus::Failure, signals).await;
            return cannot_start(&error);
        }
    };
    let (sender, news) = mpsc::channel(4);
    let beats = tokio::spawn(heartbeat::beat(ticket.clone(), sender));
    let code = running.until_its_end(signals, Some(news)).await;
    beats.abort();
    let status = running.status(code);
    say(&end_line(&format!("run {}", ticket.run_id), &running.end(status, code)));
    if running.cause == Some(Cause::Lost) {
        return ExitCode::from(LOST);
    }
    if let Some(telling) = running.telling.take() {
        let _ = timeout(LATE_ANSWER, telling).await;
    }
    // A run that somebody has ended while something of it ran on has the outcome that was given it then.
    if running.share_of.is_some() || running.remains.is_none() {
        report(ticket, status, signals).await;
    }
    ExitCode::from(running.exit_code(code))
}

/// Runs a command that has no run of its own at the registry; `name` says what it is when it has ended.
pub async fn run_unregistered(rules: Rules, name: &str, signals: &mut Signals) -> ExitCode {
    let variables = vec![("PERFREG_URL", rules.url.clone())];
    match Running::start(rules, variables, None).await {
        Ok(mut running) => {
            let code = running.until_its_end(signals, None).await;
            say(&end_line(name, &running.end(running.status(code), code)));
            ExitCode::from(running.exit_code(code))
        }
        Err(error) => cannot_start(&error),
    }
}

impl Running {
    async fn start(rules: Rules, variables: Vec<(&'static str, String)>, share_of: Option<i64>) -> io::Result<Self> {
        let plan = Plan {
            command: rules.command.clone(),
            variables,
            stop_grace: rules.stop_grace,
            on_stop: rules.on_stop.clone(),
        };
        let load = Load::start(plan.clone()).await?;
        let started = Instant::now();
        let max_at = rules.max.map(|max| started + max);
        Ok(Self {
            load,
            plan,
            rules,
            share_of,
            started,
            cause: None,
            is_interrupted: false,
            kill_at: None,
            max_at,
            telling: None,
            code: None,
            remains: None,
            has_ended: false,
            has_lost_its_guard: false,
        })
    }

    fn status(&self, code: u8) -> CompleteStatus {
        match (&self.cause, code) {
            (Some(_), _) => CompleteStatus::Cancelled,
            (None, 0) => CompleteStatus::Success,
            // sudo and shells with job control hear a key that reaches nobody else.
            _ if self.is_interrupted || code == super::signals::exit_code(Signal::INT.as_raw()) => {
                CompleteStatus::Cancelled
            }
            _ => CompleteStatus::Failure,
        }
    }

    fn exit_code(&self, code: u8) -> u8 {
        match self.cause {
            Some(Cause::Stopped(_)) => STOPPED,
            Some(Cause::Lost) => LOST,
            None => code,
        }
    }

    fn end(&self, status: CompleteStatus, code: u8) -> End<'_> {
        let after = self.started.elapsed();
        End { status, code, after, cause: self.cause.as_ref(), is_interrupted: self.is_interrupted }
    }

    /// The exit code of the command.
    async fn until_its_end(&mut self, signals: &mut Signals, mut news: Option<mpsc::Receiver<heartbeat::News>>) -> u8 {
        while !(self.has_ended && self.remains.is_none()) {
            tokio::select! {
                change = self.load.changed(), if !self.has_ended => match change {
                    Ok(change) => {
                        let is_orphaned = matches!(change, Change::GuardKilled { .. });
                        self.take_in(change);
                        if is_orphaned {
                            self.run_on_stop().await;
                        }
                    }
                    Err(error) => {
                        say(&format!("cannot wait for the command: {error}"));
                        return CANNOT_RUN;
                    }
                },
                Some(one) = next(&mut news) => self.hear(one).await,
                signal = signals.next() => self.pass_on(signal).await,
                () = reached(self.kill_at) => {
                    say("the command did not end in time and is killed");
                    self.kill_at = None;
                    self.load.kill().await;
                }
                () = reached(self.max_at) => self.stop_at_the_maximum().await,
                () = sleep(LONG_PAUSE), if self.has_ended => if descendants::kill_all(|_, _| ()).await.is_empty() {
                    self.remains.take_if(|remains| matches!(remains, Remains::Processes(_)));
                },
            }
            if self.remains.is_some() && self.share_of.is_none() {
                // There is no share that could be kept for what goes on.
                break;
            }
        }
        self.code.unwrap_or_else(|| super::signals::exit_code(Signal::KILL.as_raw()))
    }

    fn take_in(&mut self, change: Change) {
        match change {
            Change::News(protocol::News::Started) => {}
            Change::News(protocol::News::Interrupted) => self.is_interrupted = true,
            Change::News(protocol::News::CommandEnded(code)) => {
                self.code.get_or_insert(code);
                self.max_at = None;
            }
            Change::News(protocol::News::RunOn(processes)) => self.keep_the_share_for(Remains::Processes(processes)),
            Change::News(protocol::News::OnStopFailed(why)) => {
                say(&format!("the command of --on-stop {why}"));
                self.keep_the_share_for(Remains::Elsewhere);
            }
            Change::Ended(code) => {
                self.has_ended = true;
                self.kill_at = None;
                self.remains.take_if(|remains| matches!(remains, Remains::Processes(_)));
                if self.has_lost_its_guard && code != 0 {
                    self.keep_the_share_for(Remains::Elsewhere);
                }
                self.code.get_or_insert(code);
            }
            Change::GuardKilled { code, run_on } => {
                self.code.get_or_insert(code);
                (self.has_ended, self.has_lost_its_guard) = (true, true);
                self.kill_at = None;
                if !run_on.is_empty() {
                    self.keep_the_share_for(Remains::Processes(run_on));
                }
            }
        }
    }

    /// Runs the command of --on-stop, as the guard would have done had it not been killed.
    async fn run_on_stop(&mut self) {
        let Some(line) = &self.rules.on_stop else { return };
        say("the guard of the load was killed, so the command of --on-stop runs");
        let command = ["/bin/sh".into(), "-c".into(), line.into()].to_vec();
        let limit = self.rules.stop_grace.max(SHORTEST_ON_STOP);
        match Load::start(Plan { command, on_stop: None, ..self.plan.clone() }).await {
            Ok(load) => (self.load, self.has_ended, self.kill_at) = (load, false, Some(Instant::now() + limit)),
            Err(error) => {
                say(&format!("the command of --on-stop cannot be started: {error}"));
                self.keep_the_share_for(Remains::Elsewhere);
            }
        }
    }

    fn keep_the_share_for(&mut self, remains: Remains) {
        say(&remains.why_the_share_is_kept(self.share_of));
        self.remains = Some(remains);
        (self.max_at, self.kill_at) = (None, None);
    }

    async fn pass_on(&mut self, signal: Signal) {
        match (signal, &self.remains) {
            (Signal::TSTP, _) => say(NO_SUSPENSION),
            (Signal::CONT, _) => self.load.go_on().await,
            (signal, Some(remains)) if is_interrupt(signal) => say(&remains.why_the_share_is_kept(self.share_of)),
            (signal, _) => {
                self.is_interrupted |= is_interrupt(signal);
                self.load.pass_on(signal).await;
            }
        }
    }

    async fn hear(&mut self, news: heartbeat::News) {
        use heartbeat::News;
        match news {
            News::Stop(Stop { reason, by, .. }) => {
                let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
                let why = format!("the registry asks for a stop{by}: {reason}");
                self.stop(Cause::Stopped(reason), &why).await;
            }
            News::Over { why, lost: true } if !self.rules.stop_if_lost => {
                self.share_of = None;
                say(&format!("{why}; the load goes on all the same, as --if-lost continue says"));
            }
            News::Over { why, lost } => {
                self.share_of = None;
                if let Some(remains) = &self.remains {
                    say(&format!("{why}, so its share is held no longer; {}", remains.describe()));
                } else {
                    let cause = if lost { Cause::Lost } else { Cause::Stopped(why.clone()) };
                    self.stop(cause, &why).await;
                }
            }
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
    async fn stop(&mut self, cause: Cause, why: &str) {
        if self.cause.is_some() || self.remains.is_some() {
            return;
        }
        let grace = self.rules.stop_grace;
        say(&format!("{why}; the command has {}s to end", grace.as_secs()));
        self.cause = Some(cause);
        self.max_at = None;
        self.kill_at = Some(Instant::now() + grace);
        self.load.stop().await;
    }

    /// Stops a load that has run for its --max, and tells the registry why as well as that can be done.
    async fn stop_at_the_maximum(&mut self) {
        self.max_at = None;
        if let Some(run_id) = self.share_of {
            let by = Some(self.rules.triggered_by.clone());
            let request = CancelRequest { run_id, reason: Some(MAXIMUM.to_owned()), by, force: false };
            let client = self.rules.client.clone();
            self.telling = Some(tokio::spawn(async move {
                let _ = client.within(SLOWEST_ANSWER, client.cancel(&request)).await;
            }));
        }
        let max = duration_text(SignedDuration::try_from(self.rules.max.unwrap_or_default()).unwrap_or_default());
        let why = format!("the command has run for {max}, as long as --max lets it");
        self.stop(Cause::Stopped(MAXIMUM.to_owned()), &why).await;
    }
}

/// The next news; without a registration, or after the last, there is none.
async fn next(news: &mut Option<mpsc::Receiver<heartbeat::News>>) -> Option<heartbeat::News> {
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

/// Says that the load could not be started, with the code of shells.
fn cannot_start(error: &io::Error) -> ExitCode {
    say(&format!("cannot start the load: {error}"));
    ExitCode::from(CANNOT_RUN)
}
