//! How the server listens and stops.

use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// How long requests that have begun may take after SIGTERM.
    pub stop_grace: Duration,
}
