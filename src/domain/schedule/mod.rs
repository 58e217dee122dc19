//! Who waits, who runs, and when a waiter will probably start.

pub mod estimate;
pub mod holders;
pub mod queue;
pub mod roster;
