//! What has to be done from time to time.

pub mod audit;
pub mod pulse;
