//! Everything that descends from this process.
//!
//! A process that becomes the reaper of its descendants is given those whose parents have ended,
//! also the ones that left their group or their session. So every descendant is found below it.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, getuid, kill_process, set_child_subreaper, wait};
use tokio::time::{Instant, sleep};

use crate::cli::user::user_name;

const PAUSE: Duration = Duration::from_millis(10);
/// Only a process that hangs in the kernel outlives SIGKILL for as long as this.
const LONGEST_DEATH: Duration = Duration::from_secs(3);

/// A process as /proc showed it. The number alone may be given to another process later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub group: i32,
    /// In hundredths of a second since the machine was started.
    pub started: u64,
    pub name: String,
    state: char,
    threads: u32,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether nothing is left of it but its exit status. The first thread of a process may end before the others.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && self.threads <= 1
    }

    pub fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// Whether the signal would change nothing, as SIGINT does where a shell has put a command into the background.
    pub fn ignores(&self, signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        super::signals::is_ignored(signal, &status)
    }

    /// Sends the signal, unless the process has ended meanwhile and its number is another's.
    pub fn signal(&self, signal: Signal) -> Result<(), Errno> {
        match (Pid::from_raw(self.pid), Self::read(self.pid)) {
            (Some(pid), Some(now)) if now.started == self.started => kill_process(pid, signal),
            _ => Err(Errno::SRCH),
        }
    }

    /// Its name for a person, with its owner if that is somebody else.
    pub fn describe(&self) -> String {
        let owner = fs::metadata(format!("/proc/{}", self.pid)).map(|folder| folder.uid());
        match owner {
            Ok(owner) if owner != getuid().as_raw() => {
                format!("{} (pid {}, of {})", self.name, self.pid, user_name(owner))
            }
            _ => format!("{} (pid {})", self.name, self.pid),
        }
    }
}

/// The fields of /proc/PID/stat. The second is the name, in parentheses, and may hold anything.
fn parse(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let [state, parent, group, ..] = fields[..] else { return None };
    Some(Process {
        pid: pid.parse().ok()?,
        parent: parent.parse().ok()?,
        group: group.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        name: name.to_owned(),
        state: state.chars().next()?,
        threads: fields.get(17)?.parse().ok()?,
    })
}

/// The time by which /proc says when a process was started.
pub fn now() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = uptime.split_whitespace().next().unwrap_or_default();
    seconds.replace('.', "").parse().unwrap_or(u64::MAX)
}

/// Every descendant, parents first.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    below(getpid().as_raw_nonzero().get(), numbers.filter_map(Process::read))
}

fn below(root: i32, processes: impl Iterator<Item = Process>) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut parents = VecDeque::from([root]);
    while let Some(parent) = parents.pop_front() {
        for process in children.remove(&parent).into_iter().flatten() {
            parents.push_back(process.pid);
            found.push(process);
        }
    }
    found
}

pub fn adopt() -> Result<(), Errno> {
    set_child_subreaper(Some(getpid()))
}

/// Takes note of every child that has ended; whether there is no child left, and so no descendant, even one that /proc
/// hides.
pub fn reap(mut ended: impl FnMut(Pid, WaitStatus)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => ended(pid, status),
            Ok(None) => return false,
            Err(Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

/// Kills every descendant, and says which of them cannot be killed.
pub async fn kill_all(mut ended: impl FnMut(Pid, WaitStatus)) -> Vec<String> {
    let start = Instant::now();
    while !reap(&mut ended) {
        let alive: Vec<Process> = all().into_iter().filter(|process| !process.is_dead()).collect();
        let refused = alive.iter().filter(|process| process.signal(Signal::KILL) == Err(Errno::PERM)).count();
        let is_refused = !alive.is_empty() && refused == alive.len();
        if is_refused || start.elapsed() > LONGEST_DEATH {
            let hidden = || vec!["a process that /proc does not show".to_owned()];
            return if alive.is_empty() { hidden() } else { alive.iter().map(Process::describe).collect() };
        }
        sleep(PAUSE).await;
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: i32, parent: i32, name: &str) -> String {
        format!("{pid} ({name}) S {parent} 4 4 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 {} 2600000 200 0 0", pid * 10)
    }

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        for name in ["k6", "a b", "(sd-pam)", ") S 1 1", ""] {
            let process = parse(&stat(7, 5, name)).expect("a process");
            assert_eq!((process.pid, process.parent, process.group), (7, 5, 4), "{name}");
            assert_eq!((process.started, process.name.as_str()), (70, name));
        }
        assert_eq!(parse("7 (k6) S"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn descendants_are_found_parents_first_even_if_a_child_has_the_smaller_number() {
        let lines = [(3, 9), (9, 5), (5, 1), (4, 3), (8, 2), (6, 5)];
        let processes = lines.into_iter().filter_map(|(pid, parent)| parse(&stat(pid, parent, "sh")));
        let found: Vec<i32> = below(5, processes).iter().map(|process| process.pid).collect();
        assert_eq!(found, [9, 6, 3, 4]);
    }
}
