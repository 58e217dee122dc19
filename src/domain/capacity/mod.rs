//! How much a location can take, and how much a test needs of it.

pub mod factor;
pub mod location;
