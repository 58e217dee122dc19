//! Connections to the database, and what goes wrong on them.

use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::moments;
use super::usage::{gauge, gauges};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    kind: &'static str,
}

/// What a store counts of its database.
pub struct DatabaseMetrics {
    wait_seconds: Histogram,
    errors: Family<ErrorLabels, Counter>,
}

impl Default for DatabaseMetrics {
    fn default() -> Self {
        Self { wait_seconds: moments(), errors: Family::default() }
    }
}

impl DatabaseMetrics {
    /// Errors of these kinds count from 0, so that the first of them is seen as one more.
    #[must_use]
    pub fn with_errors(kinds: impl IntoIterator<Item = &'static str>) -> Self {
        let metrics = Self::default();
        for kind in kinds {
            drop(metrics.errors.get_or_create(&ErrorLabels { kind }));
        }
        metrics
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "perfreg_database_wait_seconds",
            "How long work waited for a connection to the database",
            self.wait_seconds.clone(),
        );
        registry.register("perfreg_database_errors", "What went wrong with the database", self.errors.clone());
    }

    /// Counts how long somebody waited for a connection.
    pub fn waited(&self, waited: Duration) {
        self.wait_seconds.observe(waited.as_secs_f64());
    }

    /// Counts an error by the word for its kind.
    pub fn failed(&self, kind: &'static str) {
        self.errors.get_or_create(&ErrorLabels { kind }).inc();
    }
}

/// The connections to the database at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCount {
    pub in_use: usize,
    /// Open, and used by nobody.
    pub idle: usize,
    /// As many as there may be.
    pub limit: usize,
}

/// How the database stands at a scrape.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseState {
    pub connections: ConnectionCount,
    /// Whether it has answered.
    pub is_up: bool,
    /// Commands that wait for a decision or are being decided.
    pub commands_waiting: usize,
}

impl Collector for DatabaseState {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let ConnectionCount { in_use, idle, limit } = self.connections;
        let states = [([("state", "in_use")], in_use), ([("state", "idle")], idle)];
        gauges(&mut encoder, "perfreg_database_connections", "Connections to the database", states)?;
        gauge(&mut encoder, "perfreg_database_connections_limit", "How many there may be", limit)?;
        let help = "Whether the database answered this scrape, 1 or 0; without it the locations are missing";
        gauge(&mut encoder, "perfreg_database_up", help, u32::from(self.is_up))?;
        let help = "Commands of clients that wait for a decision or are being decided";
        gauge(&mut encoder, "perfreg_commands_waiting", help, self.commands_waiting)
    }
}
