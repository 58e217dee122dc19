//! How commands become transactions.

pub mod lanes;
pub mod line;
pub mod rest;
pub mod seen;
pub mod worker;
