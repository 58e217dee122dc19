//! `perfreg guard`, which `perfreg run` starts between itself and the command.
//!
//! It leads the group of the load and reaps every descendant of it. When the wrapper goes away,
//! by SIGKILL too, the socket between them is closed, and the guard kills the load.

use std::ffi::OsString;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StandardUnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Args;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{
    Pid, Signal, WaitStatus, getpgid, getpgrp, getpid, getppid, kill_process_group, set_parent_process_death_signal,
};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

use super::descendants;
use super::load::own_program;
use super::signals::{NO_SUSPENSION, Signals, exit_code, is_interrupt};
use crate::cli::exit::{CANNOT_RUN, NOT_FOUND};
use crate::cli::output::say;

/// What a command leaves behind may use so long to end.
const LEFTOVER_GRACE: Duration = Duration::from_secs(2);
/// `pkill perfreg` must not hit the guard as well.
const NAME: &std::ffi::CStr = c"load-guard";

/// Run a command that ends with the process which started this one.
#[derive(Args)]
pub struct Guard {
    /// Become the command, as the child of this guard.
    #[arg(long, value_name = "PID")]
    child_of: Option<i32>,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// What the guard tells its wrapper, a byte each.
pub const STARTED: u8 = b's';
pub const INTERRUPTED: u8 = b'i';

impl Guard {
    pub async fn run(self) -> ExitCode {
        if let Some(guard) = self.child_of {
            return ExitCode::from(become_command(&self.command, guard));
        }
        match self.guard().await {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                say(&format!("cannot guard the load, so it was not started: {error}"));
                ExitCode::from(CANNOT_RUN)
            }
        }
    }

    async fn guard(self) -> io::Result<u8> {
        let _ = rustix::thread::set_name(NAME);
        descendants::adopt()?;
        let wrappers_group = getpgid(getppid())?;
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        let stdin = receive_stdin(&socket)?;
        let terminal = stdin.try_clone()?;
        let mut signals = Signals::listen()?;
        let mut ended = signal(SignalKind::child())?;
        let command = start(&self.command, stdin)?;
        let socket = StandardUnixStream::from(socket);
        socket.set_nonblocking(true)?;
        let (mut orders, mut news) = UnixStream::from_std(socket)?.into_split();
        let _ = news.write_all(&[STARTED]).await;

        let mut code = exit_code(Signal::KILL.as_raw());
        let mut grace = Duration::ZERO;
        loop {
            tokio::select! {
                // An interrupt comes before the end that it causes.
                biased;
                signal = signals.next() => if signal == Signal::TSTP {
                    say(NO_SUSPENSION);
                    let _ = kill_process_group(getpgrp(), Signal::CONT);
                } else if is_interrupt(signal) {
                    let _ = news.write_all(&[INTERRUPTED]).await;
                },
                _ = ended.recv() => if let Some(status) = status_of(command) {
                    (code, grace) = (code_of(status), LEFTOVER_GRACE);
                    break;
                },
                // The wrapper never writes: either it has gone, or it wants the load killed.
                _ = orders.read_u8() => break,
            }
        }
        tokio::select! {
            () = descendants::end_all(grace) => {}
            _ = orders.read_u8() => descendants::end_all(Duration::ZERO).await,
        }
        give_back(&terminal, wrappers_group);
        Ok(code)
    }
}

/// Starts the command in the guard's own group, by way of a process that becomes it.
fn start(command: &[OsString], stdin: OwnedFd) -> io::Result<Pid> {
    let guard = getpid().to_string();
    let mut child = Command::new(own_program()?);
    child.arg0("perfreg").args(["guard", "--child-of", &guard, "--"]).args(command).stdin(Stdio::from(stdin));
    // The guard itself waits for it, together with everything that it leaves behind.
    child.spawn().map(|child| Pid::from_child(&child))
}

/// Becomes the command, which the kernel kills should the guard be killed together with the wrapper.
fn become_command(command: &[OsString], guard: i32) -> u8 {
    let (Some((program, arguments)), Ok(())) =
        (command.split_first(), set_parent_process_death_signal(Some(Signal::KILL)))
    else {
        return CANNOT_RUN;
    };
    if getppid() != Pid::from_raw(guard) {
        return CANNOT_RUN;
    }
    let error = Command::new(program).args(arguments).exec();
    let (code, what_to_do) = match error.kind() {
        io::ErrorKind::NotFound => (NOT_FOUND, "install it, or give its path"),
        _ => (CANNOT_RUN, "see whether it is a program that you may run"),
    };
    say(&format!("cannot run {}: {error}; {what_to_do}", program.display()));
    code
}

/// The status of the command if it is among those that have ended.
fn status_of(command: Pid) -> Option<WaitStatus> {
    let mut ended = std::iter::from_fn(descendants::next_ended);
    ended.find_map(|(pid, status)| (pid == command).then_some(status))
}

fn code_of(status: WaitStatus) -> u8 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => exit_code(signal),
        (None, None) => u8::MAX,
    }
}

/// Gives the terminal back to the wrapper's group, if the load had it.
fn give_back(terminal: &OwnedFd, wrappers_group: Pid) {
    // Only from the foreground may it be given away without being stopped.
    if tcgetpgrp(terminal) == Ok(getpgrp()) {
        let _ = tcsetpgrp(terminal, wrappers_group);
    }
}

/// The standard input that the command is to have; the guard's own is the socket.
fn receive_stdin(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(socket, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let received = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    received.ok_or_else(|| io::Error::other("perfreg guard is started by perfreg run only"))
}
