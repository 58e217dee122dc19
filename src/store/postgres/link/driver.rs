//! Makes connections, carries what they send and receive, and listens to the server's warnings meanwhile.

use std::future::poll_fn;
use std::sync::Arc;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::{AsyncMessage, Config, Connection, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::seeded_bug::{self, Bug};
use crate::store::postgres::link::hosts;
use crate::store::postgres::link::passwords::Passwords;
use crate::store::postgres::link::session::Session;

/// Makes connections for the pool.
pub struct Driver {
    pub config: Config,
    pub passwords: Arc<Passwords>,
    pub tls: MakeRustlsConnect,
}

impl Manager for Driver {
    type Type = Session;
    type Error = Error;

    async fn create(&self) -> Result<Session, Error> {
        let (client, connection) = Box::pin(hosts::connect(&self.config, &self.passwords, &self.tls)).await?;
        Ok(Session::new(client, tokio::spawn(drive(connection))))
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<Error> {
        if session.is_closed() { Err(RecycleError::message("the connection is closed")) } else { Ok(()) }
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
