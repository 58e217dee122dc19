//! How the facts of an event are written down: as one JSON object.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::domain::answer::Holder;
use crate::domain::capacity::factor::Factor;
use crate::domain::event::{Event, Fact};

/// The text of the event's facts, decimals to the last digit.
pub fn facts_text(event: &Event) -> String {
    serde_json::to_string(&FactsOf(event)).expect("facts can be written to memory")
}

struct FactsOf<'event>(&'event Event);

impl Serialize for FactsOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, fact) in &self.0.facts {
            match fact {
                Fact::Text(text) => map.serialize_entry(name, text)?,
                Fact::Number(number) => map.serialize_entry(name, number)?,
                Fact::Flag(flag) => map.serialize_entry(name, flag)?,
                Fact::Factor(factor) => map.serialize_entry(name, &decimal(*factor))?,
                Fact::Time(time) => map.serialize_entry(name, time)?,
                Fact::Runs(runs) => {
                    map.serialize_entry(name, &runs.iter().map(|run_id| run_id.0).collect::<Vec<_>>())?;
                }
            }
        }
        if !self.0.blocking.is_empty() {
            map.serialize_entry("blocking", &self.0.blocking.iter().map(HolderFacts::of).collect::<Vec<_>>())?;
        }
        map.end()
    }
}

/// The rest is found by the run_id, and would be kept with every refusal.
#[derive(serde::Serialize)]
struct HolderFacts {
    run_id: i64,
    factor: Box<RawValue>,
}

impl HolderFacts {
    fn of(holder: &Holder) -> Self {
        Self { run_id: holder.run_id.0, factor: decimal(holder.factor) }
    }
}

fn decimal(factor: Factor) -> Box<RawValue> {
    RawValue::from_string(factor.to_string()).expect("a decimal is a JSON number")
}
