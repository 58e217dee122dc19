//! What became of tests that this process decided on.

use std::iter::zip;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::locations::{LocationLabel, LocationLabels};
use super::test_durations;
use crate::domain::activity::{Activity, ActivityKind};
use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::EndReason;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RegistrationLabels {
    location: LocationLabel,
    result: &'static str,
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    location: LocationLabel,
    status: &'static str,
    end_reason: &'static str,
}

/// Registrations, starts and ends, each counted once: by the replica that has committed it.
pub struct RunMetrics {
    locations: LocationLabels,
    registrations: Family<RegistrationLabels, Counter>,
    ended: Family<EndLabels, Counter>,
    wait_seconds: Histogram,
    run_seconds: Histogram,
    stop_acknowledged_seconds: Histogram,
}

impl Default for RunMetrics {
    fn default() -> Self {
        Self {
            locations: LocationLabels::default(),
            registrations: Family::default(),
            ended: Family::default(),
            wait_seconds: test_durations(),
            run_seconds: test_durations(),
            stop_acknowledged_seconds: test_durations(),
        }
    }
}

impl RunMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "perfreg_registrations",
            "Registrations that this server answered: started, queued, refused, or repeated with the same key",
            self.registrations.clone(),
        );
        registry.register("perfreg_ended", "Tests that this server ended", self.ended.clone());
        registry.register(
            "perfreg_wait_seconds",
            "How long tests had waited when they started, 0 for those that started at once",
            self.wait_seconds.clone(),
        );
        registry.register("perfreg_run_seconds", "How long tests had run when they ended", self.run_seconds.clone());
        registry.register(
            "perfreg_stop_acknowledged_seconds",
            "How long runners took from the request to stop until they said that their load has ended",
            self.stop_acknowledged_seconds.clone(),
        );
    }

    /// Counts the registrations among these commands of one location.
    pub fn count_registrations(&self, location: Option<&LocationName>, commands: &[Command], answers: &[Answer]) {
        let registers = |(command, _): &(&Command, &Answer)| matches!(command, Command::Register(_));
        let mut answered = zip(commands, answers).filter(registers).map(|(_, answer)| answer).peekable();
        if answered.peek().is_none() {
            return;
        }
        let label = self.locations.label(location);
        for answer in answered {
            if matches!(answer, Answer::Registered(run) if run.place.is_none()) {
                self.wait_seconds.observe(0.0);
            }
            let (result, cause) = result_and_cause(answer);
            let labels = RegistrationLabels { location: label.clone(), result, cause };
            self.registrations.get_or_create(&labels).inc();
        }
    }

    /// Counts a start out of the queue, or an end.
    pub fn count(&self, Activity { details, kind, .. }: &Activity) {
        match *kind {
            ActivityKind::StopRequested => {}
            ActivityKind::Started { waited } => self.wait_seconds.observe(waited.as_secs_f64()),
            ActivityKind::Ended { status, reason, ran, stop_acknowledged_after } => {
                let labels = EndLabels {
                    location: self.locations.label(details.location.as_ref()),
                    status: status.as_str(),
                    end_reason: reason.map_or("", EndReason::as_str),
                };
                self.ended.get_or_create(&labels).inc();
                if let Some(ran) = ran {
                    self.run_seconds.observe(ran.as_secs_f64());
                }
                if let Some(after) = stop_acknowledged_after {
                    self.stop_acknowledged_seconds.observe(after.as_secs_f64());
                }
            }
        }
    }
}

/// The causes are the words of the event `refused`.
fn result_and_cause(answer: &Answer) -> (&'static str, &'static str) {
    match answer {
        Answer::Registered(_) => ("started", ""),
        Answer::Queued(_, room) => ("queued", room.cause().as_str()),
        Answer::Refused(refusal) => ("refused", refusal.cause.as_str()),
        Answer::FactorTooLarge { .. } => ("refused", "too_large"),
        Answer::UnknownLocation => ("refused", "unknown_location"),
        Answer::KeyReused => ("refused", "key_reused"),
        // Nothing was decided anew. Any other answer would be a defect, which its caller tells.
        _ => ("repeated", ""),
    }
}
