//! One connection: it is served within bounds, and never outlives the server.
//!
//! It counts its answers that are under way; a stream of events has no end of its own and is none.
//! Once the server stops, a connection without answers has [`LAST_WORDS`].

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, header};
use futures_util::FutureExt;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower_service::Service;

use super::error::panicked;

/// A connection that has not sent the head of a request by then is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// A reader that takes nothing for so long is given up.
const SEND_TIMEOUT: Duration = Duration::from_mins(1);
/// Whoever speaks HTTP/2 and does not answer a ping for as long again is given up.
const PAUSE_BETWEEN_PINGS: Duration = Duration::from_secs(20);
/// What is left to a connection on which nothing is to be answered any more, once the server stops.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How HTTP/2 begins, and no method of HTTP/1 that is served here.
const HTTP2: &[u8] = b"PRI";

/// What all that belongs to one connection knows of it.
#[derive(Clone)]
struct Conduct {
    /// Whether the server stops.
    stop: Arc<watch::Sender<bool>>,
    /// Requests that have begun and are not answered to the last byte.
    answers: Arc<AtomicUsize>,
}

impl Conduct {
    fn is_over(&self) -> bool {
        *self.stop.borrow() && self.answers.load(Ordering::SeqCst) == 0
    }

    fn begin_answer(&self) -> Answer {
        self.answers.fetch_add(1, Ordering::SeqCst);
        Answer(Arc::clone(&self.answers))
    }
}

/// An answer under way.
struct Answer(Arc<AtomicUsize>);

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a connection is served with.
pub struct Protocols {
    router: Router,
    http1: http1::Builder,
    http1_or_http2: auto::Builder<TokioExecutor>,
}

impl Protocols {
    pub fn new(router: Router) -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        let mut http1_or_http2 = auto::Builder::new(TokioExecutor::new());
        http1_or_http2.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        http1_or_http2.http2().timer(TokioTimer::new()).keep_alive_interval(PAUSE_BETWEEN_PINGS);
        Self { router, http1, http1_or_http2 }
    }

    /// Serves the connection until it ends. How it ends is the peer's business alone.
    pub async fn serve(self: Arc<Self>, stream: TcpStream, stop: Arc<watch::Sender<bool>>) {
        let mut stopped = stop.subscribe();
        // Before it has said anything, a connection costs no buffers.
        let mut beginning = [0; HTTP2.len()];
        let count = tokio::select! {
            peeked = timeout(HEAD_TIMEOUT, stream.peek(&mut beginning)) => peeked.ok().and_then(Result::ok),
            _ = stopped.changed() => None,
        };
        let Some(count @ 1..) = count else { return };
        // Without it an answer is sent a little later, and is sent nevertheless.
        let _ = stream.set_nodelay(true);
        let conduct = Conduct { stop, answers: Arc::default() };
        let io = TokioIo::new(BoundedStream::new(stream, conduct.clone()));
        let router = self.router.clone();
        let service = service_fn(move |request| answer(router.clone(), request, &conduct));
        // Their states differ much in size, and a task is as large as the largest of what it may hold.
        if HTTP2.starts_with(&beginning[..count]) {
            run(Box::pin(self.http1_or_http2.serve_connection(io, service)), stopped).await;
        } else {
            run(Box::pin(self.http1.serve_connection(io, service)), stopped).await;
        }
    }
}

/// Runs to the end, which comes soon once the server stops.
async fn run(mut connection: Pin<Box<impl GracefulConnection>>, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Answers one request, and counts the answer until its last byte is sent.
fn answer(
    mut router: Router,
    request: Request<Incoming>,
    conduct: &Conduct,
) -> impl Future<Output = Result<Response<CountedBody>, Infallible>> + Send + use<> {
    let answer = conduct.begin_answer();
    let response = router.call(request);
    async move {
        // Whatever fails in a handler has an answer, too.
        let response = AssertUnwindSafe(response).catch_unwind().await.unwrap_or_else(|_| Ok(panicked()))?;
        let answer = Some(answer).filter(|_| !is_endless(&response));
        Ok(response.map(|body| CountedBody { body, _answer: answer }))
    }
}

fn is_endless(response: &Response<Body>) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|content_type| content_type == "text/event-stream")
}

/// Holds its answer until it was sent.
struct CountedBody {
    body: Body,
    _answer: Option<Answer>,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Closes itself where [`Conduct`] or the time says so.
struct BoundedStream {
    stream: TcpStream,
    conduct: Conduct,
    /// Runs while the peer does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs while nothing is to be answered any more.
    last_words: Option<Pin<Box<Sleep>>>,
}

impl BoundedStream {
    fn new(stream: TcpStream, conduct: Conduct) -> Self {
        Self { stream, conduct, stalled: None, last_words: None }
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
            return Poll::Ready(read);
        }
        if !this.conduct.is_over() {
            this.last_words = None;
            return Poll::Pending;
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn connected() -> (BoundedStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a connection");
        let conduct = Conduct { stop: Arc::new(watch::Sender::new(false)), answers: Arc::default() };
        (BoundedStream::new(stream, conduct), client)
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
        let (mut stream, _client) = connected().await;
        let (error, waited) = fill(&mut stream).await;
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(waited.as_secs(), SEND_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_of_an_answer_keeps_its_minute_when_the_server_stops_and_others_do_not() {
        let (mut stream, _client) = connected().await;
        let answer = stream.conduct.begin_answer();
        stream.conduct.stop.send_replace(true);
        assert_eq!(fill(&mut stream).await.1.as_secs(), SEND_TIMEOUT.as_secs());
        drop(answer);
        let (mut stream, _client) = connected().await;
        stream.conduct.stop.send_replace(true);
        assert_eq!(fill(&mut stream).await.1.as_secs(), LAST_WORDS.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_arrived_is_read_though_the_server_stops() {
        let (mut stream, mut client) = connected().await;
        client.write_all(b"GET /").await.expect("sent");
        stream.stream.readable().await.expect("it arrives");
        stream.conduct.stop.send_replace(true);
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.expect("an end");
        assert_eq!(read, b"GET /");
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_and_the_connection_goes_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a connection");
        let router = Router::new()
            .route("/defect", axum::routing::get(async || -> &'static str { panic!("a defect") }))
            .route("/sound", axum::routing::get(async || "sound"));
        let serving = Arc::new(Protocols::new(router)).serve(stream, Arc::new(watch::Sender::new(false)));
        let asking = async {
            let requests = b"GET /defect HTTP/1.1\r\n\r\nGET /sound HTTP/1.1\r\nConnection: close\r\n\r\n";
            client.write_all(requests).await.expect("sent");
            let mut read = String::new();
            client.read_to_string(&mut read).await.expect("an end");
            read
        };
        let ((), answers) = tokio::join!(serving, asking);
        assert!(answers.starts_with("HTTP/1.1 500 "), "{answers}");
        assert!(answers.contains("HTTP/1.1 200 ") && answers.ends_with("sound"), "{answers}");
    }
}
