//! How commands become transactions.

pub mod lanes;
pub mod line;
pub mod rest;
pub mod seen;
pub mod worker;

use crate::domain::capacity::location::LocationName;

/// Where commands go; nothing for the tests that name no location.
pub type Location = Option<LocationName>;
