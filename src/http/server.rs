//! Listens, serves, and stops gracefully.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;

/// A connection that has not sent the head of a request by then is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// A socket that already listens, so that a port in use is known before anything else is done.
pub struct Server {
    listener: TcpListener,
    handle: Handle<SocketAddr>,
}

impl Server {
    /// # Errors
    /// If the address is in use or is not one of this machine's.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(address).await?.into_std()?;
        Ok(Self { listener, handle: Handle::new() })
    }

    /// Where it listens; the port is the real one even if 0 was asked for.
    ///
    /// # Errors
    /// If the operating system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What [`Self::run`] is stopped with.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.handle.clone())
    }

    /// Serves until it is stopped and the requests that had begun are answered.
    ///
    /// # Errors
    /// If the operating system does not let it serve.
    pub async fn run(self, router: Router) -> io::Result<()> {
        let mut server = axum_server::from_tcp(self.listener)?
            .acceptor(NoDelayAcceptor::new())
            .handle(self.handle)
            .first_request_timeout(HEAD_TIMEOUT);
        server.http_builder().http1().header_read_timeout(HEAD_TIMEOUT);
        server.serve(router.into_make_service()).await
    }
}

#[derive(Clone)]
pub struct Stopper(Handle<SocketAddr>);

impl Stopper {
    /// Takes no new connections and gives requests that have begun `grace` to be answered.
    pub fn stop(&self, grace: Duration) {
        self.0.graceful_shutdown(Some(grace));
    }
}
