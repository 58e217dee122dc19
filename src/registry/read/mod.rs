//! What ran, what runs, and what happened.

pub mod adopted;
pub mod browse;
pub mod events;
