//! Who waits, who runs, and when a waiter will probably start.

pub mod board;
#[cfg(test)]
mod board_tests;
pub mod earlier;
pub mod estimate;
pub mod holders;
pub mod neighbours;
pub mod question;
pub mod queue;
pub mod roster;
