//! What can be set, one small struct per concern.

pub mod database;
pub mod server;
