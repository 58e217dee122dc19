//! One connection: it is served within bounds, and never outlives the server.
//!
//! It counts its answers that are under way. A stream of events has no end of its own, so a stop does not wait for it.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, header};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tower_service::Service;
use tracing::Instrument;

use super::bounded_stream::{BoundedStream, HEAD_TIMEOUT};
use super::conduct::{Answer, Conduct};
use super::cross_site::{Guarded, guard};
use super::error::panicked;
use super::exchange::{Exchange, RouteNames};
use super::host::HostCheck;
use super::html::Reader;
use super::protection;
use super::routes::Service as Routes;
use crate::config::server::PublicUrl;
use crate::metrics::Metrics;

/// Whoever speaks HTTP/2 and does not answer a ping for as long again is given up.
const PAUSE_BETWEEN_PINGS: Duration = Duration::from_secs(20);
/// How HTTP/2 begins, and no method of HTTP/1 that is served here.
const HTTP2: &[u8] = b"PRI";

/// What a connection is served with.
pub struct Protocols {
    hosts: HostCheck,
    /// Whether people come by HTTPS.
    by_https: bool,
    routes: Guarded,
    names: RouteNames,
    metrics: Arc<Metrics>,
    http1: http1::Builder,
    http1_or_http2: auto::Builder<TokioExecutor>,
}

impl Protocols {
    pub fn new(service: Routes, metrics: Arc<Metrics>) -> Self {
        let Routes { router, templates, public_url, hosts } = service;
        let (hosts, names) = (HostCheck::new(hosts), RouteNames::new(templates));
        let by_https = public_url.as_ref().is_some_and(PublicUrl::is_https);
        let routes = guard(router, public_url.as_ref());
        let mut http1 = http1::Builder::new();
        // The stream has limits of its own, since an idle connection may live longer than a head that has begun.
        http1.header_read_timeout(None);
        let mut http1_or_http2 = auto::Builder::new(TokioExecutor::new());
        http1_or_http2.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        // An idle connection lives for as long as its peer answers pings.
        http1_or_http2.http2().timer(TokioTimer::new()).keep_alive_interval(PAUSE_BETWEEN_PINGS);
        Self { hosts, by_https, routes, names, metrics, http1, http1_or_http2 }
    }

    /// Serves the connection until it ends. How it ends is the peer's business alone.
    pub async fn serve(self: Arc<Self>, stream: TcpStream, stop: Arc<watch::Sender<bool>>) {
        let _connection = self.metrics.http.enter_connection();
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
        let conduct = Conduct::new(stop);
        let stream = BoundedStream::new(stream, conduct.clone());
        let protocols = Arc::clone(&self);
        let service = service_fn(move |request| answer(&protocols, request, &conduct));
        // Their states differ much in size, and a task is as large as the largest of what it may hold.
        if HTTP2.starts_with(&beginning[..count]) {
            run(Box::pin(self.http1_or_http2.serve_connection(TokioIo::new(stream), service)), stopped).await;
        } else {
            run(Box::pin(self.http1.serve_connection(TokioIo::new(stream.awaiting_heads()), service)), stopped).await;
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
    protocols: &Arc<Protocols>,
    request: Request<Incoming>,
    conduct: &Conduct,
) -> impl Future<Output = Result<Response<CountedBody>, Infallible>> + Send + use<> {
    let answer = conduct.begin_answer();
    let exchange = Exchange::begin(&protocols.names, &request);
    let reader = Reader::of(&request);
    let let_in = protocols.hosts.check(&request, exchange.route());
    let response = let_in.map(|()| protocols.routes.clone().call(request));
    let protocols = Arc::clone(protocols);
    async move {
        let answering = async {
            match response {
                // Whatever fails in a handler has an answer, too.
                Ok(response) => AssertUnwindSafe(response).catch_unwind().await.unwrap_or_else(|_| Ok(panicked())),
                Err(refusal) => {
                    protocols.hosts.warn_of(&refusal);
                    Ok(refusal.into_response())
                }
            }
        };
        let mut response = answering.instrument(exchange.span()).await?;
        if let Some(reader) = reader {
            response = reader.show(response);
        }
        exchange.end(&protocols.metrics.http, &mut response);
        protection::complete(response.headers_mut(), protocols.by_https);
        let answer = if is_endless(&response) { answer.without_end() } else { answer };
        Ok(response.map(|body| CountedBody { body, _answer: answer }))
    }
}

fn is_endless(response: &Response<Body>) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|content_type| content_type == "text/event-stream")
}

/// Holds its answer until it was sent.
struct CountedBody {
    body: Body,
    _answer: Answer,
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

#[cfg(test)]
mod tests {
    use axum::Router;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::hosts::AllowedHosts;

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_and_the_connection_goes_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a connection");
        let router = Router::new()
            .route("/defect", axum::routing::get(async || -> &'static str { panic!("a defect") }))
            .route("/sound", axum::routing::get(async || "sound"));
        let metrics = Arc::new(Metrics::new(&crate::metrics::DatabaseMetrics::default()));
        let service = Routes { router, templates: Vec::new(), public_url: None, hosts: AllowedHosts::Any };
        let protocols = Protocols::new(service, metrics);
        let serving = Arc::new(protocols).serve(stream, Arc::new(watch::Sender::new(false)));
        let asking = async {
            let requests =
                b"GET /defect HTTP/1.1\r\nHost: a\r\n\r\nGET /sound HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
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
