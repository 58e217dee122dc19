//! Locations as labels: bounded, whatever clients name.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

use crate::domain::capacity::location::{LocationName, NOWHERE};

/// The locations that have series of their own.
pub const MOST_LOCATIONS: usize = 1_000;
/// What stands for all others. No clean name begins with a space, so that no location that is used today is taken for it.
pub const OTHER: &str = " other";

/// The name of a location; empty for the tests that name none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocationLabel(LocationName);

impl EncodeLabelValue for LocationLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        self.0.as_str().encode(encoder)
    }
}

/// The first locations of which something was counted.
#[derive(Debug)]
pub struct LocationLabels {
    named: RwLock<HashSet<LocationName>>,
    nowhere: LocationLabel,
    other: LocationLabel,
}

impl Default for LocationLabels {
    fn default() -> Self {
        let label = |name| LocationLabel(LocationName::new(name));
        Self { named: RwLock::default(), nowhere: label(NOWHERE), other: label(OTHER) }
    }
}

impl LocationLabels {
    pub fn label(&self, location: Option<&LocationName>) -> LocationLabel {
        let Some(name) = location else { return self.nowhere.clone() };
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        let (is_known, is_full) = (named.contains(name), named.len() >= MOST_LOCATIONS);
        drop(named);
        if name.as_str() == OTHER {
            return self.other.clone();
        }
        if is_known || (!is_full && self.add(name)) { LocationLabel(name.clone()) } else { self.other.clone() }
    }

    /// Whether it has a series of its own from now on.
    fn add(&self, name: &LocationName) -> bool {
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        named.contains(name) || (named.len() < MOST_LOCATIONS && named.insert(name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::clean;

    #[test]
    fn only_the_first_thousand_locations_have_labels_of_their_own() {
        let labels = LocationLabels::default();
        let label = |number: usize| labels.label(Some(&LocationName::new(&format!("location {number}")))).0;
        for number in 0..MOST_LOCATIONS {
            assert_eq!(label(number).as_str(), format!("location {number}"));
        }
        assert_eq!(label(MOST_LOCATIONS).as_str(), OTHER);
        assert_eq!(label(7).as_str(), "location 7");
        assert_eq!(labels.label(None).0.as_str(), "");
    }

    #[test]
    fn no_location_that_a_client_can_name_is_taken_for_all_others() {
        assert_ne!(clean(OTHER).as_deref(), Ok(OTHER));
        let labels = LocationLabels::default();
        assert_eq!(labels.label(Some(&LocationName::new("other"))).0.as_str(), "other");
        assert_eq!(labels.label(Some(&LocationName::new(OTHER))), labels.other);
        assert!(
            labels.named.read().expect("no panic").len() == 1,
            "a name from before that is the label is none of its own"
        );
    }
}
