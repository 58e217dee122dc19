//! A typed client for the registry's HTTP API.

mod age;
mod answer;
mod certificates;
mod error;
mod events;
mod failure;
mod headers;
mod proxy;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Url};
use tokio::time::timeout;

use self::error::{without_password, without_user};
use self::proxy::Proxy;
use crate::wire::board::BoardQuery;
use crate::wire::cancel::{CancelBeforeRequest, CancelRequest};
use crate::wire::complete::CompleteRequest;
use crate::wire::event::EventsQuery;
use crate::wire::gate::SetGateRequest;
use crate::wire::heartbeat::HeartbeatRequest;
use crate::wire::history::HistoryQuery;
use crate::wire::location::{MergeLocationRequest, SetLocationRequest};
use crate::wire::plan::PlanRequest;
use crate::wire::register::RegisterRequest;

pub use self::answer::Answer;
pub use self::error::ClientError;
pub use self::events::{EventStream, Message};

/// Where a registry is, unless something else is said.
pub const DEFAULT_SERVER: &str = "http://localhost:8000";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A whole history may take long, a silent server may not.
const SILENCE_TIMEOUT: Duration = Duration::from_mins(1);

/// Where the registry is, and what has to be shown on the way to it.
#[derive(Clone, Default)]
pub struct Access {
    pub server: String,
    /// A PEM file with a certificate and its key.
    pub client_certificate: Option<PathBuf>,
    /// Each as `NAME: VALUE`.
    pub headers: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Client {
    server: Url,
    proxy: Option<Proxy>,
    has_client_certificate: bool,
    has_credentials: bool,
    http: reqwest::Client,
}

impl Client {
    /// # Errors
    /// If something of `access` is wrong, or the variables of the environment name no proxy or certificates.
    pub fn new(access: &Access) -> Result<Self, ClientError> {
        let server = read_url(&access.server)?;
        let headers = headers::read(&access.headers)?;
        let has_user = server.password().is_some() || !server.username().is_empty();
        if has_user && headers.contains_key("authorization") {
            let twice = "the URL has a user, and --header an Authorization; leave one of them out";
            return Err(ClientError::Options(twice.to_owned()));
        }
        let proxy = proxy::of_environment(&server)?;
        let identity = access.client_certificate.as_deref().map(certificates::read_identity).transpose()?;
        let uses_tls = server.scheme() == "https" || proxy.as_ref().is_some_and(Proxy::uses_tls);
        let has_client_certificate = identity.is_some();
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_TIMEOUT)
            .user_agent(concat!("perfreg/", env!("CARGO_PKG_VERSION")))
            // A redirect may turn a POST into a GET, and would carry what is secret elsewhere.
            .redirect(Policy::none())
            .no_proxy()
            .tls_backend_preconfigured(certificates::configuration(uses_tls, identity)?);
        let builder = match &proxy {
            Some(proxy) => builder.proxy(proxy.forwarding()?),
            None => builder,
        };
        let has_credentials = has_user || !headers.is_empty();
        let http = builder.default_headers(headers).build().map_err(|error| ClientError::Setup(error.to_string()))?;
        Ok(Self { server, proxy, has_client_certificate, has_credentials, http })
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
    pub async fn plan(&self, request: &PlanRequest) -> Result<Answer, ClientError> {
        let answer = self.send(Method::POST, &["plan"], |call| call.json(request)).await;
        answer.map_err(|error| age::of_plan(request, error))
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

    /// What runs and waits where.
    ///
    /// # Errors
    /// If the location is unknown, the server did not answer, or it is of a version that has no board.
    pub async fn board(&self, query: &BoardQuery) -> Result<Answer, ClientError> {
        let answer = self.send(Method::GET, &["board"], |call| call.query(query)).await;
        self.of_board(answer).await
    }

    /// One execution as it is now.
    ///
    /// # Errors
    /// If the test is unknown, or the server did not answer.
    pub async fn find(&self, run_id: i64) -> Result<Answer, ClientError> {
        self.send(Method::GET, &["executions", &run_id.to_string()], |call| call).await
    }

    /// The first page of what happened to one execution, oldest first.
    ///
    /// # Errors
    /// If the test is unknown, or the server did not answer.
    pub async fn events_of(&self, run_id: i64, limit: u32) -> Result<Answer, ClientError> {
        self.send(Method::GET, &["executions", &run_id.to_string(), "events"], |call| call.query(&[("limit", limit)]))
            .await
    }

    /// What ran beside one execution.
    ///
    /// # Errors
    /// If the test is unknown, the server did not answer, or it is of a version that has no board.
    pub async fn neighbours(&self, run_id: i64) -> Result<Answer, ClientError> {
        let path = ["executions", &run_id.to_string(), "neighbours"];
        let answer = self.send(Method::GET, &path, |call| call).await;
        self.of_board(answer).await
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
        timeout(limit, call).await.unwrap_or_else(|_| Err(self.silence()))
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        complete: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, ClientError> {
        let call = complete(self.http.request(method, self.url(path)));
        match call.send().await {
            Ok(response) => self.read(path, response).await,
            Err(error) if failure::is_broken_off(&error) => Err(Box::pin(self.cause_of_break(&error)).await),
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// What does not let a call through often answers without reading it, and the answer is lost with the connection. A
    /// call that has no body brings it.
    async fn cause_of_break(&self, error: &reqwest::Error) -> ClientError {
        let path = ["healthz"];
        let answer = match self.http.get(self.url(&path)).send().await {
            Ok(response) => self.read(&path, response).await,
            Err(_) => return self.failure(error),
        };
        match answer {
            Err(cause @ (ClientError::Denied(_) | ClientError::Setup(_))) => cause,
            _ => self.failure(error),
        }
    }

    /// The server's URL, without its password.
    fn server(&self) -> String {
        without_password(&self.server)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

fn read_url(server: &str) -> Result<Url, ClientError> {
    let parsed = Url::parse(server).ok().filter(Url::has_host);
    let shown = parsed.map_or_else(|| without_user(server), |url| without_password(&url));
    let wrong = |reason: String| ClientError::Url { server: shown.clone(), reason };
    let mut url = Url::parse(server).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it does not begin with http:// or https://".to_owned()));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}
