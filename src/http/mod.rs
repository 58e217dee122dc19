//! Translates between HTTP and the registry.

mod api;
mod bounded_stream;
mod conduct;
mod connection;
mod error;
mod event_query;
mod history_query;
mod html;
mod routes;
mod server;

pub use routes::{openapi, router};
pub use server::Server;
