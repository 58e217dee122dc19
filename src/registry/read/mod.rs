//! What ran, what runs, and what happened.

pub mod adopted;
pub mod board;
pub mod browse;
pub mod events;
