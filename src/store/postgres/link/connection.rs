//! The pool, and what a connection is used for before it is given back or thrown away.

use std::error::Error as _;
use std::str::{FromStr, Utf8Error};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Hook, HookError, Object, Pool, PoolError, QueueMode, TimeoutType};
use scopeguard::ScopeGuard;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Config, Error};

use crate::metrics::{ConnectionCount, DatabaseMetrics};
use crate::store::StoreError;
use crate::store::postgres::error::classify_connect;
use crate::store::postgres::link::driver::Driver;
use crate::store::postgres::link::passwords::Passwords;
use crate::store::postgres::link::session::Session;
use crate::store::postgres::link::tls::{self, TlsOptions};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// With all that is said before the first statement.
const LONGEST_CONNECTING: Duration = Duration::from_secs(6);
/// How long a command waits for a connection that others use.
const POOL_TIMEOUT: Duration = Duration::from_secs(5);
/// After this a database that accepted a statement and says nothing is taken for gone.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

pub struct Connections {
    pool: Pool<Driver>,
    /// Where the database is, for messages; never with a password.
    address: String,
    pub metrics: DatabaseMetrics,
}

impl Connections {
    /// `on_connect` is called whenever a connection is made.
    pub fn new(
        url: &str,
        most_connections: usize,
        passwords: Arc<Passwords>,
        on_connect: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let (url, tls_options) = TlsOptions::take_from(url)?;
        let mut config = read(&url)?;
        config.ssl_mode(tls_options.mode());
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(ANSWER_TIMEOUT).application_name("perfreg");
        config.keepalives_idle(ANSWER_TIMEOUT);
        let address = address(&config);
        let pool = Pool::builder(Driver { config, passwords, tls: tls::connector(&tls_options)? })
            .max_size(most_connections)
            // The session that was used last has its plans and tables still in the processor's caches.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_TIMEOUT))
            .create_timeout(Some(LONGEST_CONNECTING))
            .post_create(Hook::sync_fn(move |_, _| {
                on_connect();
                Ok(())
            }))
            .post_create(Hook::async_fn(|session, _| Box::pin(set_up(session))))
            .build()
            .map_err(|error| StoreError::Unsuitable(error.to_string()))?;
        Ok(Self { pool, address, metrics: DatabaseMetrics::with_errors(StoreError::KINDS) })
    }

    /// Runs `work` on a connection. A connection on which anything went wrong is closed, so that
    /// the next command does not meet a half-finished transaction or a demoted server.
    pub async fn run<T>(&self, work: impl AsyncFnOnce(&mut Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let silent = || StoreError::Unavailable(format!("no answer within {ANSWER_TIMEOUT:?}"));
        let limited = async move |client: &mut Session| {
            tokio::time::timeout(ANSWER_TIMEOUT, work(client)).await.unwrap_or_else(|_| Err(silent()))
        };
        self.run_without_limit(limited).await
    }

    /// As [`Self::run`], for what may rightly take long, or sets limits of its own. Whoever gives up
    /// in the middle leaves no half-finished transaction in the pool either.
    pub async fn run_without_limit<T>(
        &self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let client = self.get().await.inspect_err(|error| self.metrics.failed(error.kind()))?;
        self.metrics.waited(begun.elapsed());
        let mut client = scopeguard::guard(client, |client| drop(Object::take(client)));
        let result = work(&mut client).await.inspect_err(|error| self.metrics.failed(error.kind()));
        self.give_back(ScopeGuard::into_inner(client), result)
    }

    pub fn count(&self) -> ConnectionCount {
        let status = self.pool.status();
        let idle = status.available.min(status.size);
        ConnectionCount { in_use: status.size - idle, idle, limit: status.max_size }
    }

    fn give_back<T>(&self, client: Object<Driver>, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            drop(Object::take(client));
        }
        // Those that lie idle go to the same server. Were it gone without a word, each would be
        // waited for in vain, one after the other.
        if let Err(StoreError::Unavailable(_) | StoreError::CommitUnknown(_)) = result {
            drop(self.pool.retain(|_, _| false));
        }
        result.map_err(|error| match error {
            StoreError::Unavailable(reason) => StoreError::Unavailable(format!("{}: {reason}", self.address)),
            other => other,
        })
    }

    async fn get(&self) -> Result<Object<Driver>, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                match classify_connect(error) {
                    StoreError::Unavailable(reason) => {
                        StoreError::Unavailable(format!("cannot reach PostgreSQL at {}: {reason}", self.address))
                    }
                    StoreError::Unsuitable(reason) => {
                        StoreError::Unsuitable(format!("cannot use PostgreSQL at {}: {reason}", self.address))
                    }
                    other => other,
                }
            }
            PoolError::PostCreateHook(HookError::Message(reason)) => {
                StoreError::Unavailable(format!("cannot reach PostgreSQL at {}: {reason}", self.address))
            }
            PoolError::Timeout(TimeoutType::Wait) => {
                StoreError::Unavailable(format!("no connection to {} came free in time", self.address))
            }
            PoolError::Timeout(_) => StoreError::Unavailable(format!(
                "cannot reach PostgreSQL at {}: no answer within {LONGEST_CONNECTING:?}",
                self.address
            )),
            other => StoreError::Broken(other.to_string()),
        })
    }
}

/// Compiling a statement takes longer than any of ours runs; the server believes otherwise where it
/// cannot know how little a LIMIT leaves to do. A pooler may give it to another session than the one that
/// runs the statement later; it is about speed, and nothing else is set for longer than a transaction.
async fn set_up(session: &mut Session) -> Result<(), HookError<Error>> {
    let setting = async {
        session.batch_execute("SET jit = off").await?;
        session.allow_names().await
    };
    let silent = |_| HookError::message(format!("no answer within {CONNECT_TIMEOUT:?}"));
    tokio::time::timeout(CONNECT_TIMEOUT, setting).await.map_err(silent)?.map_err(HookError::Backend)
}

/// The URL as the driver reads it.
fn read(url: &str) -> Result<Config, StoreError> {
    let wrong = |reason: &str| StoreError::Unsuitable(format!("the database URL is wrong: {reason}"));
    let config = Config::from_str(url).map_err(|error| match error.source() {
        Some(reason) if reason.is::<Utf8Error>() => wrong("what is percent-encoded in it is not UTF-8"),
        Some(reason) => wrong(&reason.to_string()),
        None => wrong(&error.to_string()),
    })?;
    if config.get_hosts().is_empty() {
        return Err(wrong("it names no host; it looks like postgresql://USER@HOST/DATABASE"));
    }
    if config.get_user().is_none_or(str::is_empty) {
        return Err(wrong("it names no user; it looks like postgresql://USER@HOST/DATABASE"));
    }
    Ok(config)
}

fn address(config: &Config) -> String {
    use tokio_postgres::config::Host;
    let ports = config.get_ports();
    let port = |index: usize| ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
    let name = |(index, host): (usize, &Host)| match host {
        Host::Tcp(name) => format!("{name}:{}", port(index)),
        Host::Unix(path) => path.display().to_string(),
    };
    config.get_hosts().iter().enumerate().map(name).collect::<Vec<_>>().join(",")
}
