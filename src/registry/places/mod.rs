//! Locations, and the gates that close them.

pub mod gate;
pub mod known_locations;
pub mod locations;
