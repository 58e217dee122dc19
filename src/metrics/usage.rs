//! What the database says of locations and of the registry, and what the last audit found.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::locations::{MOST_LOCATIONS, OTHER};
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::{Location, row_name};
use crate::domain::gate::GateState;
use crate::domain::usage::{LocationUsage, Usage};

/// Writes a gauge with the values that it has by labels.
pub fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, V)>,
) -> std::fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        family.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

/// Writes a gauge that has one value.
pub fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: impl EncodeGaugeValue,
) -> std::fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

/// The gauges of all locations. Behind the first thousand, by name, all others are added up.
#[derive(Debug)]
pub struct UsageGauges(pub Arc<Usage>);

/// A location of its own, or several that are added up.
struct Row<'usage> {
    name: &'usage str,
    of: Vec<&'usage LocationUsage>,
}

impl Row<'_> {
    const fn labels(&self) -> [(&'static str, &str); 1] {
        [("location", self.name)]
    }

    fn factor(&self, value: impl Fn(&Location) -> Factor) -> f64 {
        // Exact to the last digit: a factor has six places.
        self.of.iter().map(|usage| value(&usage.location).millionths()).sum::<i64>() as f64 / 1e6
    }

    fn count(&self, value: impl Fn(&LocationUsage) -> i64) -> i64 {
        self.of.iter().copied().map(value).sum()
    }
}

impl UsageGauges {
    fn rows<'usage>(&'usage self) -> Vec<Row<'usage>> {
        // A name from before that is the label of all others cannot have a series of its own beside it.
        let name = |usage: &'usage LocationUsage| row_name(usage.location.name.as_ref());
        let (mut own, mut others): (Vec<_>, Vec<_>) = self.0.locations.iter().partition(|usage| name(usage) != OTHER);
        others.extend(own.split_off(own.len().min(MOST_LOCATIONS)));
        let mut rows: Vec<Row<'usage>> =
            own.into_iter().map(|usage| Row { name: name(usage), of: vec![usage] }).collect();
        if !others.is_empty() {
            rows.push(Row { name: OTHER, of: others });
        }
        rows
    }

    fn oldest_wait(&self, row: &Row<'_>) -> f64 {
        row.of.iter().map(|usage| self.0.oldest_wait_of(usage).as_secs_f64()).fold(0.0, f64::max)
    }
}

impl Collector for UsageGauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let rows = self.rows();
        // Nothing bounds the tests that name no location.
        let bounded = rows.iter().filter(|row| row.of.iter().any(|usage| usage.location.name.is_some()));
        let capacities = bounded.map(|row| (row.labels(), row.factor(|location| location.capacity)));
        gauges(&mut encoder, "perfreg_location_capacity", "What the factors that run here stay below", capacities)?;
        let used = rows.iter().map(|row| (row.labels(), row.factor(|location| location.used)));
        gauges(&mut encoder, "perfreg_location_used", "The sum of the factors that run here", used)?;
        let mut counts = |name, help, count: fn(&LocationUsage) -> i64| {
            gauges(&mut encoder, name, help, rows.iter().map(|row| (row.labels(), row.count(count))))
        };
        counts("perfreg_location_running", "Tests that run here", |usage| usage.location.running)?;
        counts("perfreg_location_waiting", "Tests that wait here", |usage| usage.location.waiting)?;
        counts("perfreg_location_suspect", "Runs here of which a heartbeat was missed", |usage| usage.suspect)?;
        counts("perfreg_location_overdue", "Runs here that take several times as long as expected", |usage| {
            usage.overdue
        })?;
        let oldest_waits = rows.iter().map(|row| (row.labels(), self.oldest_wait(row)));
        let help = "How long the test has waited that came first";
        gauges(&mut encoder, "perfreg_location_oldest_wait_seconds", help, oldest_waits)?;
        let states = rows.iter().flat_map(|row| {
            let strongest = row.of.iter().map(|usage| self.0.state_of(usage)).max().unwrap_or_default();
            let labels = |state: GateState| [("location", row.name), ("state", state.as_str())];
            GateState::ALL.map(|state| (labels(state), is(state == strongest)))
        });
        let help = "1 for the state that counts here, the registry's or the location's, and 0 for the others";
        gauges(&mut encoder, "perfreg_location_state", help, states)?;
        let now = self.0.registry_state();
        let states = GateState::ALL.map(|state| ([("state", state.as_str())], is(state == now)));
        gauges(&mut encoder, "perfreg_registry_state", "1 for the state of the whole registry", states)
    }
}

/// What this server has found when it last compared the rows of all locations with their executions.
#[derive(Debug)]
pub struct AuditState {
    pub count: u64,
    /// When the last one ended, and how many locations differed.
    pub last: Option<(Timestamp, usize)>,
}

impl Collector for AuditState {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let help = "How often this server has compared the rows of all locations with their executions";
        let mut counter = encoder.encode_descriptor("perfreg_audits", help, None, MetricType::Counter)?;
        counter.encode_counter::<NoLabelSet, _, u64>(&self.count, None)?;
        let Some((ended_at, differences)) = self.last else { return Ok(()) };
        let help = "Locations whose row differed from their executions when last compared, at most 100";
        gauge(&mut encoder, "perfreg_audit_differences", help, differences)?;
        let (help, ended_at) = ("When they were last compared, since 1970", ended_at.as_duration().as_secs_f64());
        gauge(&mut encoder, "perfreg_audit_last_end_timestamp_seconds", help, ended_at)
    }
}

fn is(holds: bool) -> u32 {
    holds.into()
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::domain::capacity::location::LocationName;
    use crate::domain::gate::Gate;

    fn location(number: usize) -> LocationUsage {
        let name = LocationName::new(&format!("location {number:04}"));
        let used = Factor::from_millionths(300_000);
        let location = Location { used, running: 2, ..Location::unused(Some(name)) };
        LocationUsage { location, suspect: 1, overdue: 0, waiting_since: Timestamp::from_second(number as i64).ok() }
    }

    fn text(locations: Vec<LocationUsage>) -> String {
        let at = Timestamp::from_second(5_000).expect("in range");
        let mut registry = Registry::default();
        registry.register_collector(Box::new(UsageGauges(Arc::new(Usage { at, registry: Gate::OPEN, locations }))));
        let mut text = String::new();
        encode(&mut text, &registry).expect("gauges");
        text
    }

    #[test]
    fn locations_behind_the_first_thousand_are_added_up() {
        let mut locations: Vec<LocationUsage> = (0..MOST_LOCATIONS + 3).map(location).collect();
        locations[MOST_LOCATIONS + 1].location.gate.state = GateState::Stopped;
        let text = text(locations);
        for line in [
            "perfreg_location_used{location=\"location 0999\"} 0.3",
            "perfreg_location_used{location=\" other\"} 0.9",
            "perfreg_location_capacity{location=\" other\"} 3.0",
            "perfreg_location_running{location=\" other\"} 6",
            "perfreg_location_suspect{location=\" other\"} 3",
            "perfreg_location_oldest_wait_seconds{location=\" other\"} 4000.0",
            "perfreg_location_state{location=\" other\",state=\"stopped\"} 1",
            "perfreg_location_state{location=\" other\",state=\"open\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        assert_eq!(text.lines().filter(|line| line.starts_with("perfreg_location_used{")).count(), MOST_LOCATIONS + 1);
    }

    #[test]
    fn a_location_that_is_named_other_is_told_apart_and_no_series_comes_twice() {
        let mut locations: Vec<LocationUsage> = (0..=MOST_LOCATIONS).map(location).collect();
        for (place, name) in [(0, OTHER), (1, "other")] {
            locations[place].location.name = Some(LocationName::new(name));
        }
        let text = text(locations);
        assert!(text.contains("perfreg_location_running{location=\"other\"} 2\n"), "{text}");
        let mut series: Vec<&str> = text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(one, _)| one).collect();
        let count = series.len();
        series.sort_unstable();
        series.dedup();
        assert_eq!(series.len(), count);
    }

    #[test]
    fn tests_without_a_location_have_no_capacity() {
        let nowhere = Location { running: 4, ..Location::unused(None) };
        let text = text(vec![LocationUsage { location: nowhere, suspect: 0, overdue: 0, waiting_since: None }]);
        assert!(text.contains("perfreg_location_running{location=\"\"} 4"), "{text}");
        assert!(!text.contains("perfreg_location_capacity{"), "{text}");
    }
}
