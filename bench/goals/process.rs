//! What Linux knows of a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Linux counts the time of processes in hundredths of a second, whatever its own clock does.
const TICK: Duration = Duration::from_millis(10);

/// What the process has taken of the processors so far.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    // The name of the program, in brackets, may hold spaces.
    let (_, fields) = line.rsplit_once(')').context("/proc has another form")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks: u32 = ticks.sum::<Result<_, _>>()?;
    Ok(TICK * ticks)
}

/// What the process holds now, in MiB.
pub fn memory(pid: u32) -> Result<f64> {
    mebibytes(pid, "VmRSS:")
}

/// The most that it has held at once, in MiB.
pub fn peak_memory(pid: u32) -> Result<f64> {
    mebibytes(pid, "VmHWM:")
}

fn mebibytes(pid: u32, field: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("/proc has another form")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1_024.0)
}

/// Thousands of connections need as many files, here and in the servers that are started from here.
pub fn allow_many_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")
}
