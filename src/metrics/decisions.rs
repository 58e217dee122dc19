//! Transactions that decide.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::moments;

/// How many commands one transaction decides at the most is 256.
const COMMANDS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// How long transactions take, and how many commands each decides.
pub struct DecisionMetrics {
    seconds: Histogram,
    commands: Histogram,
}

impl Default for DecisionMetrics {
    fn default() -> Self {
        Self { seconds: moments(), commands: Histogram::new(COMMANDS) }
    }
}

impl DecisionMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "perfreg_decision_seconds",
            "How long one transaction took that decided a batch of commands, each attempt for itself",
            self.seconds.clone(),
        );
        registry.register("perfreg_decision_commands", "How many commands it decided", self.commands.clone());
    }

    /// Counts one attempt.
    pub fn observe(&self, took: Duration, commands: usize) {
        self.seconds.observe(took.as_secs_f64());
        self.commands.observe(commands as f64);
    }
}
