//! The signals that somebody may send to a load test.

use std::future::poll_fn;
use std::task::Poll;
use std::{fs, io};

use rustix::process::Signal;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;
use tokio::signal::unix::{self, SignalKind, signal};

use crate::cli::output::say;

/// Those that ask for an end.
const INTERRUPTS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];
const OTHERS: [Signal; 4] = [Signal::USR1, Signal::USR2, Signal::TSTP, Signal::CONT];

pub const NO_SUSPENSION: &str = "a load test cannot be suspended while it holds its share; it goes on";

pub struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    /// Listens from now on. What was ignored stays ignored: nohup and shells mean it so.
    pub fn listen() -> io::Result<Self> {
        Self::listen_to(heard())
    }

    /// As [`Self::listen`], together with where each signal comes from.
    pub fn listen_with_origins() -> io::Result<(Self, Origins)> {
        let heard = heard();
        // Before the others, so that where a signal comes from is known once it is heard.
        let origins = SignalsInfo::new(heard.iter().map(|signal| signal.as_raw()))?;
        Ok((Self::listen_to(heard)?, Origins(origins)))
    }

    fn listen_to(heard: Vec<Signal>) -> io::Result<Self> {
        let listen = |one: Signal| Ok((one, signal(SignalKind::from_raw(one.as_raw()))?));
        heard.into_iter().map(listen).collect::<io::Result<_>>().map(Self)
    }

    pub async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            let mut received =
                self.0.iter_mut().filter_map(|(one, stream)| stream.poll_recv(context).is_ready().then_some(*one));
            received.next().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The next one that asks for an end.
    pub async fn interrupt(&mut self) -> Signal {
        loop {
            let signal = self.next().await;
            if is_interrupt(signal) {
                return signal;
            }
            if signal == Signal::TSTP {
                say("a waiter that is suspended would lose its place, so it waits on; Ctrl-C gives the place back");
            }
        }
    }
}

/// Where the signals come from.
pub struct Origins(SignalsInfo<WithOrigin>);

impl Origins {
    /// The signals that have come, and whether the kernel sent them, as it does for a key or when the terminal is gone.
    pub fn come(&mut self) -> Vec<(Signal, bool)> {
        let come = self.0.pending();
        come.filter_map(|one| Some((Signal::from_named_raw(one.signal)?, matches!(one.cause, Cause::Kernel)))).collect()
    }
}

pub fn is_interrupt(signal: Signal) -> bool {
    INTERRUPTS.contains(&signal)
}

/// What shells report of a process that a signal ended.
pub fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// The signals that are not ignored.
fn heard() -> Vec<Signal> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    INTERRUPTS.into_iter().chain(OTHERS).filter(|signal| !is_ignored(*signal, &status)).collect()
}

/// Whether a process ignores the signal, by its /proc/PID/status, which has a bit for each; elsewhere than on Linux none
/// does.
pub fn is_ignored(signal: Signal, status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal.as_raw() - 1) & 1 == 1
}
