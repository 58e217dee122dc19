//! `GET /metrics`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry as Metrics, Unit};

use crate::http::error::ApiError;
use crate::registry::{Registry, RegistryError};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What to watch, for Prometheus.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "health",
    responses((status = 200, description = "The metrics.", content(
        (String = "text/plain"), (String = "application/openmetrics-text"),
    ))),
)]
pub async fn metrics(State(registry): State<Arc<Registry>>) -> Result<impl IntoResponse, ApiError> {
    let audits = registry.audits();
    let mut metrics = Metrics::with_prefix("perfreg");
    metrics.register("build", "The version of this server", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    metrics.register(
        "audits",
        "How often this server has compared the rows of all locations with their executions",
        ConstCounter::new(audits.count),
    );
    if let Some(last) = &audits.last {
        metrics.register(
            "audit_differences",
            "Locations whose row differed from their executions when last compared, at most 100",
            ConstGauge::new(last.differences.len() as i64),
        );
        let ended_at = Gauge::<f64, AtomicU64>::default();
        ended_at.set(last.ended_at.as_duration().as_secs_f64());
        metrics.register_with_unit(
            "audit_last_end_timestamp",
            "When they were last compared, since 1970",
            Unit::Seconds,
            ended_at,
        );
    }
    let mut text = String::new();
    encode(&mut text, &metrics).map_err(|error| RegistryError::Broken(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text))
}
