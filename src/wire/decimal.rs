//! Decimals that cross the wire digit by digit.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A JSON number that keeps its text; no float ever stands between.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decimal(Box<RawValue>);

impl Decimal {
    /// # Panics
    /// If the text is not a JSON number.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(RawValue::from_string(text).expect("a decimal's text is a JSON number"))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.get())
    }
}
