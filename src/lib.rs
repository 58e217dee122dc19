//! The performance test execution registry: who may run a load test now, where, and beside whom.
//!
//! Read it from the inside out.

pub mod background;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod metrics;
pub mod present;
pub mod registry;
pub mod seeded_bug;
pub mod store;
pub mod wire;
