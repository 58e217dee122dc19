//! The rules, as functions over values: no input, no output, no clock.

pub mod activity;
pub mod admission;
pub mod adopted;
pub mod answer;
pub mod audit;
pub mod capacity;
pub mod continuity;
pub mod event;
pub mod execution;
pub mod gate;
pub mod history;
pub mod link;
pub mod name;
pub mod schedule;
pub mod usage;
