//! The rules, as functions over values: no input, no output, no clock.

pub mod admission;
pub mod adopted;
pub mod answer;
pub mod audit;
pub mod continuity;
pub mod estimate;
pub mod event;
pub mod execution;
pub mod factor;
pub mod gate;
pub mod history;
pub mod holders;
pub mod idempotency;
pub mod lease;
pub mod link;
pub mod location;
pub mod name;
pub mod place;
pub mod queue;
pub mod roster;
