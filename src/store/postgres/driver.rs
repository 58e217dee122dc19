//! Carries what a connection sends and receives, and listens to the server's warnings meanwhile.

use std::future::poll_fn;

use deadpool_postgres::Connect;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::hosts;
use crate::seeded_bug::{self, Bug};

pub struct Driver(pub MakeRustlsConnect);

impl Connect for Driver {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let (tls, config) = (self.0.clone(), config.clone());
        Box::pin(async move {
            let (client, connection) = hosts::connect(&config, &tls).await?;
            Ok((client, tokio::spawn(drive(connection))))
        })
    }
}

/// Ends with the connection, or at a warning that makes the success behind it a lie. Whoever waits
/// for the answer then learns that the connection is gone, which at a commit means: unknown.
async fn drive<S, T>(mut connection: Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) if is_of_a_cancelled_wait(&notice) => {
                tracing::warn!("a commit is not acknowledged: {}", notice.message());
                return;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("a connection to the database broke: {error}");
                return;
            }
        }
    }
}

/// Whether a commit stopped waiting for its synchronous standby. The warning has no code of its own and its
/// words depend on the server's language, so it is known by the place in the server that it comes from.
fn is_of_a_cancelled_wait(notice: &DbError) -> bool {
    notice.parsed_severity() == Some(Severity::Warning)
        && notice.routine() == Some("SyncRepWaitForLSN")
        && !seeded_bug::is(Bug::AcknowledgementOnWarning)
}
