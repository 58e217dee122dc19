//! A connection that is kept, for what a load generator cannot express.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::statistics::Times;

/// The first answers do not count: one for so many that do.
const WARM_UP_SHARE: usize = 20;
/// What is far too slow has shown it after this time.
const BUDGET: Duration = Duration::from_secs(10);
const LEAST_SAMPLES: usize = 5;

pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// To a server at this host and port. It takes no server: what is still connected must not keep
    /// one alive.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Its end is seen by whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_owned() })
    }

    /// The answer without its body, whose status has to be a success.
    pub async fn send(&mut self, method: Method, path: &str, accept: &str, body: String) -> Result<Response<Incoming>> {
        self.sender.ready().await.context("the server closed the connection")?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let response = self.sender.send_request(request).await.with_context(|| format!("no answer to {path}"))?;
        let status = response.status();
        if matches!(status, StatusCode::OK | StatusCode::ACCEPTED) {
            return Ok(response);
        }
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{path} is answered with {status}: {}", String::from_utf8_lossy(&body));
        anyhow::bail!("{path} is answered with {status}")
    }

    pub async fn get(&mut self, path: &str) -> Result<Bytes> {
        let response = self.send(Method::GET, path, "*/*", String::new()).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }

    pub async fn get_json(&mut self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.get(path).await?)?)
    }

    /// How long so many answers to the same question take, one after the other.
    pub async fn ask(&mut self, path: &str, samples: usize) -> Result<Times> {
        for _ in 0..samples.div_ceil(WARM_UP_SHARE) {
            self.get(path).await?;
        }
        let (mut times, begin) = (Times::default(), Instant::now());
        while times.count() < samples && (times.count() < LEAST_SAMPLES || begin.elapsed() < BUDGET) {
            let start = Instant::now();
            self.get(path).await?;
            times.add_since(start);
        }
        Ok(times)
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let response = self.send(Method::POST, path, "*/*", body.to_string()).await?;
        Ok(serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?)
    }
}
