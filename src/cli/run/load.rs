//! The command, as `perfreg run` sees it: started through the guard, in a group of its own.

use std::ffi::OsString;
use std::io::{self, IoSlice, IsTerminal};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as StandardUnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};

use super::guard::{INTERRUPTED, STARTED};
use super::signals::exit_code;

pub struct Load {
    guard: Child,
    group: Pid,
    news: OwnedReadHalf,
    orders: OwnedWriteHalf,
}

/// What happens to the load by itself.
pub enum Change {
    /// Somebody interrupted it, at the terminal perhaps.
    Interrupted,
    /// It has ended, and nothing is left of it.
    Ended(u8),
}

impl Load {
    /// Starts the command with these further variables, and gives it the terminal.
    pub async fn start(command: &[OsString], variables: Vec<(&str, String)>) -> io::Result<Self> {
        let (ours, theirs) = StandardUnixStream::pair()?;
        let guard = Command::new(own_program()?)
            .arg0("perfreg")
            .args(["guard", "--"])
            .args(command)
            .envs(variables)
            .stdin(std::process::Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .process_group(0)
            .spawn()?;
        let group = guard.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let group = group.ok_or_else(|| io::Error::other("it ended at once"))?;
        give_terminal(group);
        send_stdin(&ours)?;
        ours.set_nonblocking(true)?;
        let (mut news, orders) = UnixStream::from_std(ours)?.into_split();
        // Before the guard has started the command, a signal to the group would not reach it.
        let _ = news.read_u8().await.is_ok_and(|byte| byte == STARTED);
        Ok(Self { guard, group, news, orders })
    }

    /// Waits for the next change; after the end there is none.
    pub async fn changed(&mut self) -> io::Result<Change> {
        loop {
            match self.news.read_u8().await {
                Ok(INTERRUPTED) => return Ok(Change::Interrupted),
                Ok(_) => {}
                Err(_) => return self.guard.wait().await.map(|status| Change::Ended(self.end(status))),
            }
        }
    }

    /// The exit code of the command. A guard that was killed could not clean up.
    fn end(&self, status: ExitStatus) -> u8 {
        let killed = status.signal().map(|signal| {
            self.signal(Signal::KILL);
            exit_code(signal)
        });
        killed.or(status.code().and_then(|code| u8::try_from(code).ok())).unwrap_or(u8::MAX)
    }

    /// Sends a signal to the whole group; the guard in it only takes note.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.group, signal);
    }

    /// Asks the whole group to end. What is stopped would not hear it.
    pub fn interrupt(&self, signal: Signal) {
        self.signal(signal);
        self.signal(Signal::CONT);
    }

    /// Kills everything that the command has started.
    pub async fn kill(&mut self) {
        let _ = self.orders.shutdown().await;
    }

    /// Goes on where a shell continued us, perhaps in the foreground now.
    pub fn go_on(&self) {
        give_terminal(self.group);
        self.signal(Signal::CONT);
    }
}

/// The file of this program, even if it was replaced while we waited.
pub fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Whoever reads the keyboard also receives what Ctrl-C sends. If our output goes through a pipe,
/// the terminal stays with our own group, where a pager such as less may need it.
fn give_terminal(group: Pid) {
    let stdin = io::stdin();
    let is_piped = std::fs::metadata("/dev/stdout").is_ok_and(|output| output.file_type().is_fifo());
    if stdin.is_terminal() && !is_piped && tcgetpgrp(&stdin) == Ok(getpgrp()) {
        let _ = tcsetpgrp(&stdin, group);
    }
}

fn send_stdin(socket: &StandardUnixStream) -> io::Result<()> {
    let stdin = io::stdin();
    let files = [stdin.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}
