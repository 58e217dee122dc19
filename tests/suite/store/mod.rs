//! The contract of `Store`, on both databases, and what is particular to each.

mod adopted;
mod adoption;
mod audit;
mod batches;
mod board;
mod continuity;
pub mod contract;
mod estimates;
mod events;
mod growth;
mod idempotency;
mod lists;
mod locations;
mod looks;
pub mod migrations;
mod passwords;
mod postgres;
mod remembering;
mod search;
mod usage;
