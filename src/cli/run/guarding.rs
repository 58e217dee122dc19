//! What the guard does from the start of the command until nothing of the load is left.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitStatus, getpgrp, kill_process_group};
use tokio::signal::unix;
use tokio::time::{Instant, sleep_until, timeout};

use super::delivery::{Reached, deliver, deliver_beyond};
use super::descendants::{self, Process};
use super::hearing::{Hearing, Reach, Source};
use super::protocol::{self, Connection, News, Order};
use super::signals::{NO_SUSPENSION, Origins, Signals, exit_code, is_interrupt};
use crate::cli::output::say;

/// What a command leaves behind that ended by itself may use so long to end.
const LEFTOVER_GRACE: Duration = Duration::from_secs(2);
/// The command of --on-stop is given so long even where the load is not.
pub const SHORTEST_ON_STOP: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);
/// How often to look at processes that cannot be ended.
pub const LONG_PAUSE: Duration = Duration::from_millis(500);

/// A load that runs, and what the guard knows of it.
pub struct Guarding {
    command: Pid,
    code: Option<u8>,
    on_stop: Option<(Pid, Option<u8>)>,
    wrapper: Connection,
    signals: Signals,
    origins: Origins,
    child_ended: unix::Signal,
    hearing: Hearing,
    /// What was asked to end is not asked again when the command has ended.
    asked: Reached,
    wish: Wish,
    is_alone: bool,
    has_ended: bool,
}

/// What somebody wants of the load.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    GoOn,
    End,
    Kill,
}

enum Event {
    Signal,
    ChildEnded,
    Order(Order),
    WrapperGone,
    Due,
}

impl Guarding {
    pub fn new(
        command: Pid,
        wrapper: Connection,
        (signals, origins): (Signals, Origins),
        child_ended: unix::Signal,
    ) -> Self {
        Self {
            command,
            code: None,
            on_stop: None,
            wrapper,
            signals,
            origins,
            child_ended,
            hearing: Hearing::default(),
            asked: Reached::default(),
            wish: Wish::GoOn,
            is_alone: false,
            has_ended: false,
        }
    }

    /// The exit code of the command; that of a killed one if it runs on.
    pub fn code(&self) -> u8 {
        self.code.unwrap_or_else(|| exit_code(Signal::KILL.as_raw()))
    }

    /// Waits until the command has ended, ends what it has left behind, and says what cannot be ended.
    pub async fn until_the_end_of_the_load(&mut self, stop_grace: Duration) -> Vec<String> {
        while self.code.is_none() && self.wish < Wish::Kill {
            self.attend().await;
        }
        self.hear().await;
        self.end_leftovers(stop_grace).await;
        let run_on = self.kill_all().await;
        self.has_ended = true;
        if !run_on.is_empty() {
            self.wrapper.send(&News::RunOn(run_on.clone())).await;
        }
        run_on
    }

    /// Waits until the processes that cannot be ended have done so by themselves, or the wrapper does not care any more.
    pub async fn until_nothing_runs_on(&mut self) {
        while !self.is_alone && !self.kill_all().await.is_empty() {
            self.attend_for(LONG_PAUSE).await;
        }
    }

    /// Runs the command that ends what is no descendant, unless the load has ended by itself: a client that has failed
    /// or was killed says nothing of its load.
    pub async fn run_on_stop(&mut self, line: Option<&str>, stop_grace: Duration) {
        let has_succeeded = self.wish == Wish::GoOn && self.code == Some(0);
        let Some(line) = line.filter(|_| !has_succeeded) else { return };
        let limit = stop_grace.max(SHORTEST_ON_STOP);
        say(&format!(
            "the command did not succeed by itself, so the command of --on-stop runs, for at most {}s",
            limit.as_secs()
        ));
        if let Err(why) = self.stop_by(line, limit).await {
            self.wrapper.send(&News::OnStopFailed(why.clone())).await;
            if self.is_alone {
                say(&format!("the command of --on-stop {why}: see whether the load runs on elsewhere, and end it"));
            }
        }
    }

    async fn stop_by(&mut self, line: &str, limit: Duration) -> Result<(), String> {
        let output =
            std::io::stderr().as_fd().try_clone_to_owned().map_err(|error| format!("cannot write: {error}"))?;
        // In a group of its own, since a key that is pressed while the load ends is not meant for it.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).stdin(Stdio::null()).stdout(output).process_group(0);
        let child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
        self.on_stop = Some((Pid::from_child(&child), None));
        let give_up = Instant::now() + limit;
        while self.on_stop.is_some_and(|(_, code)| code.is_none()) && Instant::now() < give_up {
            self.attend_for(give_up.saturating_duration_since(Instant::now())).await;
        }
        let code = self.on_stop.take().and_then(|(_, code)| code);
        self.kill_all().await;
        match code {
            Some(0) => Ok(()),
            Some(code) => Err(format!("has failed (exit code {code})")),
            None => Err(format!("did not end within {}s and was killed", limit.as_secs())),
        }
    }

    /// Asks what the command has left behind to end, and waits for it.
    async fn end_leftovers(&mut self, stop_grace: Duration) {
        // What is on its way through the tree may reach it yet, and must not be heard twice.
        while self.hearing.is_waiting() && self.wish < Wish::Kill {
            self.attend().await;
        }
        if self.reap().await || self.wish == Wish::Kill {
            return;
        }
        let asked = std::mem::take(&mut self.asked);
        self.asked = deliver_beyond(Signal::TERM, Reach::Everything, asked).reached;
        let grace = if self.wish == Wish::End { stop_grace } else { LEFTOVER_GRACE };
        let give_up = Instant::now() + grace;
        while !self.reap().await && self.wish < Wish::Kill && Instant::now() < give_up {
            self.attend_for(PAUSE).await;
        }
    }

    async fn kill_all(&mut self) -> Vec<String> {
        let was_known = self.code.is_some();
        let Self { command, code, on_stop, .. } = self;
        let run_on = descendants::kill_all(|pid, status| note(*command, code, on_stop, pid, status)).await;
        self.tell_code(was_known).await;
        run_on
    }

    /// Whether no child is left.
    async fn reap(&mut self) -> bool {
        let was_known = self.code.is_some();
        let Self { command, code, on_stop, .. } = self;
        let is_childless = descendants::reap(|pid, status| note(*command, code, on_stop, pid, status));
        self.tell_code(was_known).await;
        is_childless
    }

    async fn tell_code(&mut self, was_known: bool) {
        if let Some(code) = self.code.filter(|_| !was_known) {
            self.wrapper.send(&News::CommandEnded(code)).await;
        }
    }

    async fn attend_for(&mut self, limit: Duration) {
        if let Ok(event) = timeout(limit, self.next()).await {
            self.handle(event).await;
        }
    }

    async fn attend(&mut self) {
        let event = self.next().await;
        self.handle(event).await;
    }

    /// The next event; may be called off while it waits.
    async fn next(&mut self) -> Event {
        tokio::select! {
            // An interrupt comes before the end that it causes.
            biased;
            _ = self.signals.next() => Event::Signal,
            _ = self.child_ended.recv() => Event::ChildEnded,
            order = self.wrapper.next(), if !self.is_alone => order.map_or(Event::WrapperGone, Event::Order),
            () = reached(self.hearing.next()) => Event::Due,
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Signal => self.hear().await,
            Event::ChildEnded => {
                self.reap().await;
            }
            Event::Order(order) => self.obey(order),
            Event::WrapperGone => (self.is_alone, self.wish) = (true, Wish::Kill),
            Event::Due => {}
        }
        for (signal, reach) in self.hearing.due(Instant::now()) {
            self.send(signal, reach);
        }
    }

    /// Takes note of the signals that the guard itself has heard.
    async fn hear(&mut self) {
        for (signal, is_of_terminal) in self.origins.come() {
            if signal == Signal::TSTP {
                say(NO_SUSPENSION);
                let _ = kill_process_group(getpgrp(), Signal::CONT);
            } else if signal != Signal::CONT {
                let source = if is_of_terminal { Source::Terminal } else { Source::Guard };
                self.hearing.hear(signal, source, Instant::now(), descendants::now());
                if is_interrupt(signal) {
                    self.wish = self.wish.max(Wish::End);
                    self.wrapper.send(&News::Interrupted).await;
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::PassOn(number) => {
                if let Some(signal) = protocol::signal(number) {
                    if is_interrupt(signal) {
                        self.wish = self.wish.max(Wish::End);
                    }
                    self.hearing.hear(signal, Source::Wrapper, Instant::now(), descendants::now());
                }
            }
            Order::Stop => {
                self.wish = self.wish.max(Wish::End);
                self.send(Signal::TERM, Reach::Everything);
            }
            Order::GoOn => {
                deliver(Signal::CONT, Reach::Everything);
            }
            Order::Kill => self.wish = Wish::Kill,
        }
    }

    /// Once the load has been killed, only the command of --on-stop runs, which is not to be disturbed.
    fn send(&mut self, signal: Signal, reach: Reach) {
        if self.has_ended {
            return;
        }
        let delivered = deliver(signal, reach);
        if is_interrupt(signal) {
            self.asked.extend(delivered.reached);
            if !delivered.refused.is_empty() {
                let names: Vec<String> = delivered.refused.iter().map(Process::describe).collect();
                say(&format!(
                    "you may not signal {}, so it goes on; run perfreg as that user, or as root, to be able to end it",
                    names.join(", ")
                ));
            }
        }
    }
}

/// Takes note of the end of the command, or of the command of --on-stop.
fn note(command: Pid, code: &mut Option<u8>, on_stop: &mut Option<(Pid, Option<u8>)>, pid: Pid, status: WaitStatus) {
    let of_status = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => exit_code(signal),
        (None, None) => u8::MAX,
    };
    if pid == command {
        *code = Some(of_status);
    } else if let Some((child, code)) = on_stop
        && *child == pid
    {
        *code = Some(of_status);
    }
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
