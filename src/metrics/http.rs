//! Requests and connections.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::moments;

/// The template of a route, such as `/runs/{run_id}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RouteName(Arc<str>);

impl RouteName {
    #[must_use]
    pub fn new(template: &str) -> Self {
        Self(template.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EncodeLabelValue for RouteName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        self.as_str().encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: RouteName,
    method: &'static str,
    status: u16,
}

/// What clients ask for, and how they are connected.
pub struct HttpMetrics {
    request_duration: Family<RequestLabels, Histogram, fn() -> Histogram>,
    connections: Gauge,
    held_calls: Gauge,
    live_pages: Gauge,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let request_duration = Family::new_with_constructor(moments as fn() -> Histogram);
        let [connections, held_calls, live_pages] = Default::default();
        Self { request_duration, connections, held_calls, live_pages }
    }
}

impl HttpMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "perfreg_http_request_duration_seconds",
            "From a request's head to the head of its answer; calls that are held take as long as they are held",
            self.request_duration.clone(),
        );
        registry.register("perfreg_http_connections", "Connections of clients that are open", self.connections.clone());
        registry.register(
            "perfreg_held_calls",
            "Calls that are held open until a test changes",
            self.held_calls.clone(),
        );
        registry.register("perfreg_live_pages", "Pages in browsers that follow what changes", self.live_pages.clone());
    }

    /// Counts an answered request.
    pub fn observe(&self, route: RouteName, method: &'static str, status: u16, took: Duration) {
        let labels = RequestLabels { route, method, status };
        self.request_duration.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts a connection for as long as this is kept.
    #[must_use]
    pub fn enter_connection(&self) -> Entered {
        Entered::new(&self.connections)
    }

    /// Counts a held call for as long as this is kept.
    #[must_use]
    pub fn enter_held_call(&self) -> Entered {
        Entered::new(&self.held_calls)
    }

    /// Counts a page that follows what changes for as long as this is kept.
    #[must_use]
    pub fn enter_live_page(&self) -> Entered {
        Entered::new(&self.live_pages)
    }
}

/// One of those that a gauge counts.
pub struct Entered(Gauge);

impl Entered {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.dec();
    }
}
