//! This process, as Linux counts it. Elsewhere only its start is known.

use std::fs;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::usage::gauge;
use crate::clock;

#[derive(Debug)]
pub struct Process {
    started_at: Timestamp,
}

impl Process {
    pub fn started_now() -> Self {
        Self { started_at: clock::now() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu_seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        let help = "User and system CPU time of this process in seconds";
        let mut counter = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
        counter.encode_counter::<NoLabelSet, _, f64>(&cpu_seconds, None)?;
        let mut single =
            |name, help, value: Option<f64>| value.map_or(Ok(()), |value| gauge(&mut encoder, name, help, value));
        let started_at = self.started_at.as_duration().as_secs_f64();
        single("process_start_time_seconds", "When this server started, since 1970", Some(started_at))?;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        single("process_resident_memory_bytes", "Memory that is in use", bytes(&status, "VmRSS:"))?;
        single("process_virtual_memory_bytes", "Memory that is addressed", bytes(&status, "VmSize:"))?;
        let open = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
        single("process_open_fds", "Files and connections that are open", open)?;
        let most = getrlimit(Resource::Nofile).current.map(|most| most as f64);
        single("process_max_fds", "How many may be open", most)
    }
}

/// A line of `/proc/self/status`, which counts in KiB.
fn bytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes as f64 * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tperfreg\nVmSize:\t  204800 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!(bytes(status, "VmRSS:"), Some(10_485_760.0));
        assert_eq!(bytes(status, "VmSwap:"), None);
        assert_eq!(bytes("VmRSS:\tmuch\n", "VmRSS:"), None);
    }
}
