//! The bytes of one connection, within bounds of time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::conduct::Conduct;

/// A connection that has not sent the head of its first request by then is closed, and so is one whose later head has
/// begun and is not whole by then.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Load balancers keep idle connections for 60 s. Were ours closed first, they would send a request into a closed one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// A reader that takes nothing for so long is given up.
const SEND_TIMEOUT: Duration = Duration::from_mins(1);
/// What is left to a connection on which nothing is to be answered any more, once the server stops.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Closes itself where [`Conduct`] or the time says so.
pub struct BoundedStream {
    stream: TcpStream,
    conduct: Conduct,
    /// Runs while the peer does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs while nothing is to be answered any more.
    last_words: Option<Pin<Box<Sleep>>>,
    /// None where the protocol sees to it.
    awaited: Option<AwaitedHead>,
}

/// The head of a request that is to come.
struct AwaitedHead {
    /// The requests before it.
    after: usize,
    has_begun: bool,
    timeout: Pin<Box<Sleep>>,
}

impl AwaitedHead {
    fn begin(&mut self, after: usize, has_begun: bool, patience: Duration) {
        (self.after, self.has_begun) = (after, has_begun);
        self.timeout.as_mut().reset(Instant::now() + patience);
    }
}

impl BoundedStream {
    pub fn new(stream: TcpStream, conduct: Conduct) -> Self {
        Self { stream, conduct, stalled: None, last_words: None, awaited: None }
    }

    /// For HTTP/1, where a connection on which nothing is answered awaits the head of a request. The first has begun.
    pub fn awaiting_heads(mut self) -> Self {
        self.awaited = Some(AwaitedHead { after: 0, has_begun: true, timeout: Box::pin(sleep(HEAD_TIMEOUT)) });
        self
    }

    /// What was read while no request is being answered belongs to the head of one.
    fn note_read(&mut self) {
        if let (Some(awaited), Some(after)) = (&mut self.awaited, self.conduct.idle_after())
            && !(awaited.has_begun && awaited.after == after)
        {
            awaited.begin(after, true, HEAD_TIMEOUT);
        }
    }

    /// Ready once the head of the next request has been awaited for too long.
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (Some(awaited), Some(after)) = (&mut self.awaited, self.conduct.idle_after()) else { return Poll::Pending };
        if awaited.after != after {
            awaited.begin(after, false, IDLE_TIMEOUT);
        }
        awaited.timeout.as_mut().poll(context)
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        send: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(sent) = send(Pin::new(&mut self.stream), context) {
            self.stalled = None;
            return Poll::Ready(sent);
        }
        let patience = if self.conduct.is_over() { LAST_WORDS } else { SEND_TIMEOUT };
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        // The server may have stopped since.
        let latest = Instant::now() + patience;
        if stalled.deadline() > latest {
            stalled.as_mut().reset(latest);
        }
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            this.note_read();
            return Poll::Ready(read);
        }
        if !this.conduct.is_over() {
            this.last_words = None;
            // As if the peer had hung up.
            return this.poll_timeout(context).map(Ok);
        }
        // What has arrived was read; this ends what never comes, as if the peer had hung up.
        this.last_words.get_or_insert_with(|| Box::pin(sleep(LAST_WORDS))).as_mut().poll(context).map(Ok)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(context, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::watch;

    use super::*;

    async fn connected() -> (BoundedStream, TcpStream, Arc<watch::Sender<bool>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a connection");
        let stop = Arc::new(watch::Sender::new(false));
        (BoundedStream::new(stream, Conduct::new(Arc::clone(&stop))), client, stop)
    }

    /// Writes until the peer takes no more, and gives how that ended and how long nothing went on.
    async fn fill(stream: &mut BoundedStream) -> (io::Error, Duration) {
        loop {
            let begun = Instant::now();
            if let Err(error) = stream.write(&[0; 16_384]).await {
                return (error, begun.elapsed());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_for_a_minute_is_given_up() {
        let (mut stream, _client, _stop) = connected().await;
        let (error, waited) = fill(&mut stream).await;
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(waited.as_secs(), SEND_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_of_an_answer_keeps_its_minute_when_the_server_stops_and_others_do_not() {
        let (mut stream, _client, stop) = connected().await;
        let answer = stream.conduct.begin_answer();
        stop.send_replace(true);
        assert_eq!(fill(&mut stream).await.1.as_secs(), SEND_TIMEOUT.as_secs());
        drop(answer);
        let (mut stream, _client, stop) = connected().await;
        stop.send_replace(true);
        assert_eq!(fill(&mut stream).await.1.as_secs(), LAST_WORDS.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_arrived_is_read_though_the_server_stops() {
        let (mut stream, mut client, stop) = connected().await;
        client.write_all(b"GET /").await.expect("sent");
        stream.stream.readable().await.expect("it arrives");
        stop.send_replace(true);
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.expect("an end");
        assert_eq!(read, b"GET /");
    }

    /// How long it takes until the stream ends, if nothing more is sent.
    async fn silence(stream: &mut BoundedStream) -> u64 {
        let begun = Instant::now();
        let mut rest = [0; 100];
        while stream.read(&mut rest).await.expect("an end") > 0 {}
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answered_connection_may_be_idle_for_longer_than_a_load_balancer_keeps_its_own() {
        let (stream, _client, _stop) = connected().await;
        let mut stream = stream.awaiting_heads();
        drop(stream.conduct.begin_answer());
        assert_eq!(silence(&mut stream).await, IDLE_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_has_begun_has_fifteen_seconds_however_slowly_it_arrives() {
        let (stream, mut client, _stop) = connected().await;
        let mut stream = stream.awaiting_heads();
        assert_eq!(silence(&mut stream).await, HEAD_TIMEOUT.as_secs(), "the first");
        drop(stream.conduct.begin_answer());
        let dripping = async {
            tokio::time::sleep(Duration::from_secs(70)).await;
            for _ in 0..4 {
                client.write_all(b"G").await.expect("sent");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        };
        tokio::pin!(dripping);
        let lived = tokio::select! {
            lived = silence(&mut stream) => lived,
            () = &mut dripping => panic!("it waits for the rest"),
        };
        assert_eq!(lived, 70 + HEAD_TIMEOUT.as_secs(), "a later one");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_an_end_has_no_limit_and_holds_up_no_stop() {
        let (stream, _client, stop) = connected().await;
        let mut stream = stream.awaiting_heads();
        let answer = stream.conduct.begin_answer().without_end();
        let hour = Duration::from_hours(1);
        assert!(tokio::time::timeout(hour, silence(&mut stream)).await.is_err(), "it goes on");
        stop.send_replace(true);
        assert_eq!(silence(&mut stream).await, LAST_WORDS.as_secs());
        drop(answer);
    }
}
