//! What ran, what runs, what happened, and what is counted.

pub mod adopted;
pub mod board;
pub mod browse;
pub mod earlier;
pub mod ended;
pub mod events;
pub mod metrics;
