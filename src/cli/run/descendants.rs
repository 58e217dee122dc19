//! Everything that descends from this process.
//!
//! A process that becomes the reaper of its descendants is given those whose parents have ended,
//! also the ones that left their group or their session. It can end all by ending its children
//! until it has none.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait};
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(10);
/// Only a process that hangs in the kernel outlives SIGKILL for as long as this.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn adopt() -> Result<(), Errno> {
    set_child_subreaper(Some(getpid()))
}

/// The next child that has ended, without waiting for one.
pub fn next_ended() -> Option<(Pid, WaitStatus)> {
    wait(WaitOptions::NOHANG).ok().flatten()
}

/// Asks each to end, and kills what is left after `grace`.
pub async fn end_all(grace: Duration) {
    let start = Instant::now();
    let mut asked = HashSet::new();
    while start.elapsed() < grace + PATIENCE {
        while next_ended().is_some() {}
        let children = children();
        if children.is_empty() {
            return;
        }
        // A child keeps its number until it was waited for, so nobody else is hit.
        for child in children {
            if start.elapsed() >= grace {
                let _ = kill_process(child, Signal::KILL);
            } else if asked.insert(child) {
                let _ = kill_process(child, Signal::TERM);
                let _ = kill_process(child, Signal::CONT);
            }
        }
        sleep(PAUSE).await;
    }
}

fn children() -> Vec<Pid> {
    let own = getpid().as_raw_nonzero().get();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| parent(*pid) == Some(own)).filter_map(Pid::from_raw).collect()
}

/// The fourth field of /proc/PID/stat. The second is the name, in parentheses, and may hold anything.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}
