//! What this server can be watched by: the instruments, and the texts that a monitoring system reads.
//!
//! Instruments count what this process does; the gauges of the locations come from the database and are the same on every
//! replica. Label values are bounded: a location, one of a few words, or a route's template; never what a client made up.

mod database;
mod decisions;
mod http;
mod locations;
mod process;
mod runs;
mod text;
mod usage;

use std::sync::Arc;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::domain::usage::Usage;

pub use database::{ConnectionCount, DatabaseMetrics, DatabaseState};
pub use decisions::DecisionMetrics;
pub use http::{Entered, HttpMetrics, RouteName};
pub use runs::RunMetrics;
pub use text::Format;
pub use usage::AuditState;
use usage::UsageGauges;

/// Durations of work that should take a moment.
const MOMENTS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Durations of tests and of waiting for them, from a second to a day.
const TEST_DURATIONS: [f64; 14] =
    [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0];

/// What is only known at the moment of a scrape.
pub struct Moment {
    pub audits: AuditState,
    pub database: DatabaseState,
    /// Nothing if the database did not say.
    pub usage: Option<Arc<Usage>>,
}

/// Every instrument of this process.
pub struct Metrics {
    pub runs: RunMetrics,
    pub decisions: DecisionMetrics,
    pub http: HttpMetrics,
    registry: Registry,
}

impl Metrics {
    /// With the instruments of its database, which are the store's.
    #[must_use]
    pub fn new(database: &DatabaseMetrics) -> Self {
        let mut registry = Registry::default();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("perfreg_build", "The version of this server", version);
        let (runs, decisions, http) = (RunMetrics::default(), DecisionMetrics::default(), HttpMetrics::default());
        runs.register(&mut registry);
        decisions.register(&mut registry);
        http.register(&mut registry);
        database.register(&mut registry);
        registry.register_collector(Box::new(process::Process::started_now()));
        Self { runs, decisions, http, registry }
    }

    /// All of them as text.
    ///
    /// # Errors
    /// If a value cannot be written down, which would be a defect.
    pub fn text(&self, format: Format, moment: Moment) -> Result<String, std::fmt::Error> {
        let mut gauges = Registry::default();
        gauges.register_collector(Box::new(moment.audits));
        gauges.register_collector(Box::new(moment.database));
        if let Some(usage) = moment.usage {
            gauges.register_collector(Box::new(UsageGauges(usage)));
        }
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &gauges)?;
        encode_eof(&mut text)?;
        Ok(format.of_open_metrics(text))
    }
}

fn moments() -> Histogram {
    Histogram::new(MOMENTS)
}

fn test_durations() -> Histogram {
    Histogram::new(TEST_DURATIONS)
}
