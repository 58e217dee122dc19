//! The signals that somebody may send to a load test.

use std::future::poll_fn;
use std::task::Poll;
use std::{fs, io};

use rustix::process::Signal;
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
        let ignored = ignored();
        let is_heard = |one: &Signal| ignored >> (one.as_raw() - 1) & 1 == 0;
        let listen = |one: Signal| Ok((one, signal(SignalKind::from_raw(one.as_raw()))?));
        let all = INTERRUPTS.into_iter().chain(OTHERS).filter(is_heard);
        all.map(listen).collect::<io::Result<_>>().map(Self)
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

pub fn is_interrupt(signal: Signal) -> bool {
    INTERRUPTS.contains(&signal)
}

/// What shells report of a process that a signal ended.
pub fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// One bit a signal, as Linux tells them; elsewhere none.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
