//! Translates between HTTP and the registry.

mod api;
mod bounded_stream;
mod conduct;
mod connection;
mod cross_site;
mod docs;
mod error;
mod event_query;
mod exchange;
mod history_query;
mod host;
mod html;
mod negotiation;
mod protection;
mod remarks;
mod request;
mod routes;
mod server;
mod spelling;
mod state;

pub use routes::{Service, openapi, service};
pub use server::Server;
