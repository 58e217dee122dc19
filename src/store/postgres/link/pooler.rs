//! Whether a pooler stands between us and the server, so that two transactions may run in two sessions.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::try_join;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, Error};

/// What a client asks for TLS with, before anything else: PostgreSQL's protocol, "Message Formats".
const TLS_REQUEST: i32 = 80_877_103;
const TLS_GRANTED: u8 = b'S';
/// More than is ever written before it is read.
const BUFFER_BYTES: usize = 64;

/// Whether whoever answers is whom the connection was made to. Each server process names itself when a
/// connection begins, so that a statement can be cancelled; PgBouncer names itself instead, with a number
/// by chance, since it has to find out which of its sessions is meant.
pub async fn is_direct(client: &Client) -> Result<bool, Error> {
    let answering: i32 = client.query_typed_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    Ok(connected_to(client).await == Some(answering))
}

/// The process that the connection was made to. The driver tells it to nobody but a server that it asks to
/// cancel something, so we let it ask us.
async fn connected_to(client: &Client) -> Option<i32> {
    let (ours, theirs) = duplex(BUFFER_BYTES);
    let token = client.cancel_token();
    let asking = async { token.cancel_query_raw(theirs, Unencrypted).await.map_err(|_| ()) };
    let answering = async { process_in_request(ours).await.map_err(|_| ()) };
    try_join(asking, answering).await.ok().map(|((), process)| process)
}

async fn process_in_request(mut stream: DuplexStream) -> io::Result<i32> {
    if request_code(&mut stream).await? == TLS_REQUEST {
        stream.write_u8(TLS_GRANTED).await?;
        request_code(&mut stream).await?;
    }
    stream.read_i32().await
}

/// Of the next request, behind its length.
async fn request_code(stream: &mut DuplexStream) -> io::Result<i32> {
    stream.read_i32().await?;
    stream.read_i32().await
}

/// Goes on without TLS after it was granted: what is sent stays in this process.
struct Unencrypted;

impl TlsConnect<DuplexStream> for Unencrypted {
    type Stream = Plain;
    type Error = Infallible;
    type Future = Ready<Result<Plain, Infallible>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        ready(Ok(Plain(stream)))
    }
}

struct Plain(DuplexStream);

impl TlsStream for Plain {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Plain {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
