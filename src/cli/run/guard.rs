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
use rustix::process::{Pid, Signal, getpgid, getpgrp, getpid, getppid, set_parent_process_death_signal};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use tokio::signal::unix::{SignalKind, signal};

use super::descendants;
use super::guarding::Guarding;
use super::load::own_program;
use super::protocol::{Connection, News};
use super::signals::Signals;
use crate::cli::exit::{CANNOT_RUN, NOT_FOUND};
use crate::cli::output::say;

/// `pkill perfreg` must not hit the guard as well.
const NAME: &std::ffi::CStr = c"load-guard";

/// Run a command that ends with the process which started this one.
#[derive(Args)]
pub struct Guard {
    /// Become the command, as the child of this guard.
    #[arg(long, value_name = "PID")]
    child_of: Option<i32>,
    /// How many seconds what was asked to end may take for it.
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    stop_grace: u64,
    /// What to run where the command did not succeed by itself.
    #[arg(long, value_name = "COMMAND")]
    on_stop: Option<String>,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

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
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        let stdin = receive_stdin(&socket)?;
        let terminal = stdin.try_clone()?;
        // Without a terminal nobody needs it, and it may be outside of what this process can see.
        let wrappers_group = tcgetpgrp(&terminal).is_ok().then(|| getpgid(getppid())).transpose()?;
        let (signals, origins) = Signals::listen_with_origins()?;
        let child_ended = signal(SignalKind::child())?;
        let command = start(&self.command, stdin)?;
        let mut wrapper = Connection::new(StandardUnixStream::from(socket))?;
        wrapper.send(&News::Started).await;
        let mut guarding = Guarding::new(command, wrapper, (signals, origins), child_ended);
        let stop_grace = Duration::from_secs(self.stop_grace);
        let run_on = guarding.until_the_end_of_the_load(stop_grace).await;
        give_back(&terminal, wrappers_group);
        guarding.run_on_stop(self.on_stop.as_deref(), stop_grace).await;
        if !run_on.is_empty() {
            guarding.until_nothing_runs_on().await;
        }
        Ok(guarding.code())
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

/// Gives the terminal back to the wrapper's group, if the load had it.
fn give_back(terminal: &OwnedFd, wrappers_group: Option<Pid>) {
    // Only from the foreground may it be given away without being stopped.
    if let Some(group) = wrappers_group
        && tcgetpgrp(terminal) == Ok(getpgrp())
    {
        let _ = tcsetpgrp(terminal, group);
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
