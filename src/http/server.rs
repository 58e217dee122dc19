//! Listens, serves, and stops gracefully.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::connection::Protocols;
use super::routes::Service;
use crate::metrics::Metrics;

/// How long accepting rests after a failure, such as that no file can be opened any more.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// A socket that already listens, so that a port in use is known before anything else is done.
pub struct Server {
    listener: TcpListener,
    /// One for each connection that may be open.
    places: Arc<Semaphore>,
    stopper: Stopper,
    grace: Duration,
}

impl Server {
    /// Holds at most so many connections at once, and gives requests that have begun `grace` to be
    /// answered when it is stopped.
    ///
    /// # Errors
    /// If the address is in use or is not one of this machine's.
    pub async fn bind(address: SocketAddr, most_connections: usize, grace: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let places = Arc::new(Semaphore::new(most_connections.min(Semaphore::MAX_PERMITS)));
        Ok(Self { listener, places, stopper: Stopper(Arc::new(watch::Sender::new(false))), grace })
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
        self.stopper.clone()
    }

    /// Serves until it is stopped and the requests that had begun are answered. What is asked is counted in `metrics`.
    pub async fn run(self, service: Service, metrics: Arc<Metrics>) {
        let Self { listener, places, stopper: Stopper(stop), grace } = self;
        let protocols = Arc::new(Protocols::new(service, metrics));
        let mut stopped = stop.subscribe();
        loop {
            let (stream, place) = tokio::select! {
                _ = stopped.changed() => break,
                accepted = accept(&listener, &places) => accepted,
            };
            let served = Arc::clone(&protocols).serve(stream, Arc::clone(&stop));
            tokio::spawn(async move {
                served.await;
                drop(place);
            });
        }
        drop((listener, stopped));
        // What is not answered by then ends with the process.
        let _ = timeout(grace, stop.closed()).await;
    }
}

/// The next connection. While there are as many as there may be, new ones wait in the operating
/// system's queue.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    if places.available_permits() == 0 {
        tracing::warn!("there are as many connections as there may be; new ones wait until others end");
    }
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

/// Stops the server.
#[derive(Clone)]
pub struct Stopper(Arc<watch::Sender<bool>>);

impl Stopper {
    /// Takes no new connections; requests that have begun are answered.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}
