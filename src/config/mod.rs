//! What can be set, one small struct per concern.

pub mod database;
pub mod hosts;
pub mod passwords;
mod postgres_url;
pub mod server;
