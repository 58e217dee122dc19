//! A typed client for the registry's HTTP API.

mod events;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::wire::cancel::{CancelBeforeRequest, CancelRequest};
use crate::wire::complete::CompleteRequest;
use crate::wire::event::EventsQuery;
use crate::wire::gate::SetGateRequest;
use crate::wire::heartbeat::HeartbeatRequest;
use crate::wire::history::HistoryQuery;
use crate::wire::location::{MergeLocationRequest, SetLocationRequest};
use crate::wire::problem::Problem;
use crate::wire::register::RegisterRequest;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A whole history may take long, a silent server may not.
const SILENCE_TIMEOUT: Duration = Duration::from_mins(1);

pub use events::{EventStream, Message};

#[derive(Clone, Debug)]
pub struct Client {
    server: Url,
    http: reqwest::Client,
}

/// The answer to a call that was understood, as the server sent it.
#[derive(Clone, Debug)]
pub struct Answer(String);

impl Answer {
    /// The JSON text.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.0
    }

    /// # Errors
    /// If the server is not of a version that this client knows.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_str(&self.0).map_err(|error| ClientError::NotARegistry(error.to_string()))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{server} is not the URL of a server: {reason}; give one such as http://localhost:8000")]
    Url { server: String, reason: String },
    #[error("cannot reach the registry at {server}: {reason}")]
    Unreachable { server: String, reason: String },
    /// The server understood and said no; `body` is its whole answer.
    #[error("{}", problem.detail)]
    Refused { problem: Box<Problem>, body: String },
    #[error("what answered is not a registry: {0}")]
    NotARegistry(String),
    #[error("cannot write the answer: {0}")]
    Output(std::io::Error),
}

impl ClientError {
    /// Whether the same call may be answered in a moment.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NotARegistry(_) => true,
            Self::Refused { problem, .. } => problem.status >= 500,
            Self::Url { .. } | Self::Output(_) => false,
        }
    }
}

impl Client {
    /// # Errors
    /// If `server` is not an http or https URL.
    pub fn new(server: &str) -> Result<Self, ClientError> {
        let shown = Url::parse(server).map_or_else(|_| server.to_owned(), |url| without_password(&url));
        let wrong = |reason: String| ClientError::Url { server: shown.clone(), reason };
        let mut url = Url::parse(server).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it does not begin with http:// or https://".to_owned()));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_TIMEOUT)
            .user_agent(concat!("perfreg/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self { server: url, http })
    }

    /// The server's URL, without its password.
    #[must_use]
    pub fn server(&self) -> String {
        without_password(&self.server)
    }

    /// # Errors
    /// If the test may not start, or the server did not answer.
    pub async fn register(&self, request: &RegisterRequest) -> Result<Answer, ClientError> {
        self.send(Method::POST, &["register"], |call| call.json(request)).await
    }

    /// Registers; with the same `key` as often as needed, and yet only once.
    ///
    /// # Errors
    /// If the test may not start, or the server did not answer.
    pub async fn register_once(&self, request: &RegisterRequest, key: &str) -> Result<Answer, ClientError> {
        self.send(Method::POST, &["register"], |call| call.header("Idempotency-Key", key).json(request)).await
    }

    /// What would come of a registration.
    ///
    /// # Errors
    /// If the server did not answer, or a field has no meaning.
    pub async fn plan(&self, request: &RegisterRequest) -> Result<Answer, ClientError> {
        self.send(Method::POST, &["plan"], |call| call.json(request)).await
    }

    /// One page of what happened, newest first.
    ///
    /// # Errors
    /// If the server did not answer, or a parameter has no meaning.
    pub async fn events(&self, query: &EventsQuery) -> Result<Answer, ClientError> {
        self.send(Method::GET, &["events"], |call| call.query(query)).await
    }

    /// # Errors
    /// If the test is unknown or has ended, or the server did not answer.
    pub async fn heartbeat(&self, request: &HeartbeatRequest) -> Result<Answer, ClientError> {
        self.send(Method::POST, &["heartbeat"], |call| call.json(request)).await
    }

    /// One execution; with `wait_seconds` at its next change after `version`.
    ///
    /// # Errors
    /// If the test is unknown, or the server did not answer.
    pub async fn execution(&self, run_id: i64, wait_seconds: u32, version: i64) -> Result<Answer, ClientError> {
        let wait = [("wait_seconds", i64::from(wait_seconds)), ("version", version)];
        self.send(Method::GET, &["executions", &run_id.to_string()], |call| call.query(&wait)).await
    }

    /// # Errors
    /// If the test is unknown or has another outcome, or the server did not answer.
    pub async fn complete(&self, request: &CompleteRequest) -> Result<Answer, ClientError> {
        self.send(Method::POST, &["complete"], |call| call.json(request)).await
    }

    /// # Errors
    /// If the test is unknown or has another outcome, or the server did not answer.
    pub async fn cancel(&self, request: &CancelRequest) -> Result<Answer, ClientError> {
        self.send(Method::POST, &["cancel"], |call| call.json(request)).await
    }

    /// # Errors
    /// If no test has used the location, or the server did not answer.
    pub async fn cancel_before(&self, request: &CancelBeforeRequest) -> Result<Answer, ClientError> {
        self.send(Method::POST, &["cancel"], |call| call.json(request)).await
    }

    /// # Errors
    /// If the server did not answer.
    pub async fn status(&self) -> Result<Answer, ClientError> {
        self.send(Method::GET, &["status"], |call| call).await
    }

    /// # Errors
    /// If the server did not answer, or a parameter has no meaning.
    pub async fn history(&self, query: &HistoryQuery) -> Result<Answer, ClientError> {
        self.send(Method::GET, &["history"], |call| call.query(query)).await
    }

    /// # Errors
    /// If the server did not answer.
    pub async fn locations(&self) -> Result<Answer, ClientError> {
        self.send(Method::GET, &["locations"], |call| call).await
    }

    /// One location; it is refused as not found if it was never used nor set.
    ///
    /// # Errors
    /// If the location is unknown, or the server did not answer.
    pub async fn location(&self, name: &str) -> Result<Answer, ClientError> {
        self.send(Method::GET, &["locations", name], |call| call).await
    }

    /// # Errors
    /// If the capacity cannot be set, or the server did not answer.
    pub async fn set_location(&self, name: &str, request: &SetLocationRequest) -> Result<Answer, ClientError> {
        self.send(Method::PUT, &["locations", name], |call| call.json(request)).await
    }

    /// # Errors
    /// If tests run or wait there, it is unknown, or the server did not answer.
    pub async fn delete_location(&self, name: &str, by: Option<&str>) -> Result<Answer, ClientError> {
        self.send(Method::DELETE, &["locations", name], |call| call.query(&by.map(|by| [("by", by)]))).await
    }

    /// Makes one location of two.
    ///
    /// # Errors
    /// If one of them is unknown, or the server did not answer.
    pub async fn merge_location(&self, name: &str, request: &MergeLocationRequest) -> Result<Answer, ClientError> {
        self.send(Method::POST, &["locations", name, "merge"], |call| call.json(request)).await
    }

    /// The gate of the whole registry.
    ///
    /// # Errors
    /// If the server did not answer.
    pub async fn registry(&self) -> Result<Answer, ClientError> {
        self.send(Method::GET, &["registry"], |call| call).await
    }

    /// # Errors
    /// If a field has no meaning, or the server did not answer.
    pub async fn set_registry(&self, request: &SetGateRequest) -> Result<Answer, ClientError> {
        self.send(Method::PUT, &["registry"], |call| call.json(request)).await
    }

    /// What the call says, unless it takes longer than `limit`.
    ///
    /// # Errors
    /// If it takes longer, or the call fails.
    pub async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let silent = || ClientError::Unreachable { server: self.server(), reason: "it does not answer".to_owned() };
        timeout(limit, call).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        complete: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, ClientError> {
        let call = complete(self.http.request(method, self.url(path)));
        self.read(call.send().await.map_err(|error| self.unreachable(&error))?).await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { server: self.server(), reason: innermost(error) }
    }

    async fn read(&self, response: Response) -> Result<Answer, ClientError> {
        let status = response.status();
        let body = response.text().await.map_err(|error| self.unreachable(&error))?;
        if matches!(status, StatusCode::OK | StatusCode::ACCEPTED) {
            return Ok(Answer(body));
        }
        Err(match serde_json::from_str(&body) {
            Ok(problem) => ClientError::Refused { problem, body },
            Err(_) => ClientError::NotARegistry(format!("it says {status}")),
        })
    }
}

fn without_password(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // A URL that has a password can be given another.
        let _ = url.set_password(Some("***"));
    }
    url.to_string()
}

/// The cause that says something: "Connection refused", not "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
