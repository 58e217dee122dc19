//! The command, as `perfreg run` sees it: started through the guard, in a group of its own.

use std::ffi::OsString;
use std::io::{self, IoSlice, IsTerminal};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as StandardUnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, getpgrp};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use tokio::process::{Child, Command};

use super::descendants;
use super::protocol::{Connection, News, Order};
use super::signals::exit_code;

/// What to start, and how it is ended.
#[derive(Clone)]
pub struct Plan {
    pub command: Vec<OsString>,
    pub variables: Vec<(&'static str, String)>,
    pub stop_grace: Duration,
    pub on_stop: Option<String>,
}

pub struct Load {
    guard: Child,
    group: Pid,
    connection: Connection,
}

/// What happens to the load by itself.
pub enum Change {
    News(News),
    /// The guard has ended with the exit code of the command, and nothing is left that could be ended.
    Ended(u8),
    /// Somebody has killed the guard, and so the load was killed as well.
    GuardKilled {
        code: u8,
        run_on: Vec<String>,
    },
}

impl Load {
    /// Starts the command and gives it the terminal.
    pub async fn start(plan: Plan) -> io::Result<Self> {
        // Should the guard be killed, its descendants become ours.
        descendants::adopt()?;
        let (ours, theirs) = StandardUnixStream::pair()?;
        let guard = spawn_guard(plan, theirs)?;
        let group = guard.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let group = group.ok_or_else(|| io::Error::other("it ended at once"))?;
        give_terminal(group);
        send_stdin(&ours)?;
        let mut connection = Connection::new(ours)?;
        // Before the guard has started the command, there is nobody to pass a signal on to.
        let _ = connection.next::<News>().await.is_some_and(|news| news == News::Started);
        Ok(Self { guard, group, connection })
    }

    /// Waits for the next change; after the end there is none.
    pub async fn changed(&mut self) -> io::Result<Change> {
        if let Some(news) = self.connection.next().await {
            return Ok(Change::News(news));
        }
        let status = self.guard.wait().await?;
        Ok(match status.signal() {
            None => Change::Ended(code_of(status)),
            Some(signal) => {
                Change::GuardKilled { code: exit_code(signal), run_on: descendants::kill_all(|_, _| ()).await }
            }
        })
    }

    /// Passes a signal on to every process of the load that does not hear it otherwise.
    pub async fn pass_on(&mut self, signal: Signal) {
        self.connection.send(&Order::PassOn(signal.as_raw())).await;
    }

    /// Asks the whole load to end.
    pub async fn stop(&mut self) {
        self.connection.send(&Order::Stop).await;
    }

    /// Kills everything that the command has started.
    pub async fn kill(&mut self) {
        self.connection.send(&Order::Kill).await;
    }

    /// Goes on where a shell continued us, perhaps in the foreground now.
    pub async fn go_on(&mut self) {
        give_terminal(self.group);
        self.connection.send(&Order::GoOn).await;
    }
}

/// Only the guard has its end of the connection afterwards, so that its end is noticed whenever it comes.
fn spawn_guard(plan: Plan, connection: StandardUnixStream) -> io::Result<Child> {
    let mut guard = Command::new(own_program()?);
    guard.arg0("perfreg").args(["guard", "--stop-grace", &plan.stop_grace.as_secs().to_string()]);
    guard.args(plan.on_stop.map(|line| format!("--on-stop={line}")));
    guard.arg("--").args(&plan.command).envs(plan.variables);
    // They are meant for this run, and not for another one inside of it.
    guard.env_remove("PERFREG_ON_STOP").env_remove("PERFREG_MAX");
    guard.stdin(Stdio::from(OwnedFd::from(connection))).process_group(0);
    guard.spawn()
}

fn code_of(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_guard_that_ends_before_the_command_has_started_is_noticed() {
        // The guard is the program of the tests here, which does not know what it is asked and ends.
        let plan = Plan {
            command: vec!["true".into()],
            variables: Vec::new(),
            stop_grace: Duration::from_secs(1),
            on_stop: None,
        };
        let start = tokio::time::timeout(Duration::from_mins(1), Load::start(plan));
        let mut load = start.await.expect("the end of the guard is noticed").expect("the guard is started");
        let change = load.changed().await.expect("the guard has ended");
        assert!(matches!(change, Change::Ended(code) if code != 0));
    }
}
