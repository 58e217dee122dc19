//! What is shown of the registry's values: as JSON bodies, and as sentences. Once for the API, the pages and all that comes.
//! Nothing here waits, reads a clock or knows HTTP.

pub mod adopted;
pub mod board;
pub mod cause;
pub mod event;
#[cfg(test)]
mod event_tests;
pub mod execution;
pub mod extra;
pub mod gate;
pub mod lanes;
pub mod location;
pub mod prose;
pub mod room;
pub mod run;
pub mod stop;
pub mod text;
pub mod time;
pub mod zone;

use crate::domain::capacity::factor::Factor;
use crate::wire::decimal::Decimal;

/// A factor to its last digit.
#[must_use]
pub fn decimal(factor: Factor) -> Decimal {
    Decimal::new(factor.to_string())
}
