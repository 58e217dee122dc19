//! Closed loops of registrations, made by wrk, which takes little of the processors that it shares.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::server::Server;
use crate::sizes::Sizes;

#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub connections: usize,
    /// Over how many locations the registrations are spread.
    pub locations: usize,
}

/// What came of a load.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub per_second: f64,
    pub p99_ms: f64,
}

impl Load {
    /// Registers at this server until the time is over; the time to warm up does not count.
    pub async fn run(self, server: &Server, sizes: &Sizes) -> Result<Figures> {
        if !sizes.warm_up.is_zero() {
            self.run_for(server, sizes.warm_up).await?;
        }
        self.run_for(server, sizes.load).await
    }

    pub async fn run_for(self, server: &Server, time: Duration) -> Result<Figures> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/goals/register.lua");
        let mut command = Command::new("wrk");
        command.args(["--threads", "1", "--timeout", "10", "--script", script]);
        command.args(["--connections", &self.connections.to_string(), "--duration", &format!("{}s", time.as_secs())]);
        command.args([&server.url(), "--", &self.locations.to_string()]);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.context("cannot run wrk")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|line| line.strip_prefix("figures "));
        let line = line.with_context(|| format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
        let values: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [requests, duration_us, p99_us, errors] = values[..] else {
            anyhow::bail!("wrk says something else: {line}");
        };
        ensure!(errors == 0.0, "{errors} of {requests} registrations were not answered with 200");
        ensure!(requests > 0.0, "no registration was answered");
        Ok(Figures { per_second: requests / (duration_us / 1_000_000.0), p99_ms: p99_us / 1_000.0 })
    }
}
