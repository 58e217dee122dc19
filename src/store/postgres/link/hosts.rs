//! Finds the server that takes writes: all hosts of the URL are asked at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use crate::store::postgres::link::passwords::Passwords;

/// For how long those are waited for who say nothing, such as a frozen machine, where others refuse.
const PATIENCE: Duration = Duration::from_secs(3);
/// After this those who refuse are asked again meanwhile: one of them may have become the primary.
const PAUSE: Duration = Duration::from_millis(250);

pub type Connected<T> = (Client, Connection<Socket, <T as MakeTlsConnect<Socket>>::Stream>);

/// The driver would ask one host after the other, and a machine that vanished or froze would hold it
/// up for as long as it waits for anything.
pub async fn connect<T>(config: &Config, passwords: &Arc<Passwords>, tls: &T) -> Result<Connected<T>, Error>
where
    T: MakeTlsConnect<Socket> + Clone,
{
    let deadline = Instant::now() + PATIENCE;
    let ask = async |(index, host), pause: Duration| {
        sleep(pause).await;
        let config = passwords.complete(alone(config, index, host)).await;
        (index, config.connect(tls.clone()).await)
    };
    let hosts = config.get_hosts();
    let mut silent: BTreeSet<usize> = (0..hosts.len()).collect();
    let mut attempts: FuturesUnordered<_> = hosts.iter().enumerate().map(|host| ask(host, Duration::ZERO)).collect();
    let mut refusal = None;
    loop {
        let attempt = match &refusal {
            None => attempts.next().await,
            Some(_) => timeout_at(deadline, attempts.next()).await.unwrap_or(None),
        };
        match (attempt, refusal) {
            (Some((_, Ok(connected))), _) => return Ok(connected),
            (Some((index, Err(error))), _) => {
                silent.remove(&index);
                if silent.is_empty() {
                    return Err(error);
                }
                attempts.push(ask((index, &hosts[index]), PAUSE));
                refusal = Some(error);
            }
            (None, Some(error)) => return Err(error),
            // Without a host the driver says what is wrong.
            (None, None) => return config.connect(tls.clone()).await,
        }
    }
}

/// As `config`, for one of its hosts.
fn alone(config: &Config, index: usize, host: &Host) -> Config {
    // As in libpq, a socket of this machine needs no TLS.
    let is_socket = matches!(host, Host::Unix(_));
    let mut one = Config::new();
    match host {
        Host::Tcp(name) => one.host(name),
        Host::Unix(path) => one.host_path(path),
    };
    if let Some(address) = config.get_hostaddrs().get(index) {
        one.hostaddr(*address);
    }
    if let Some(port) = config.get_ports().get(index).or_else(|| config.get_ports().first()) {
        one.port(*port);
    }
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(database) = config.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(limit) = config.get_connect_timeout() {
        one.connect_timeout(*limit);
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*limit);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(count) = config.get_keepalives_retries() {
        one.keepalives_retries(count);
    }
    one.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(if is_socket { SslMode::Disable } else { config.get_ssl_mode() })
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs())
        .load_balance_hosts(config.get_load_balance_hosts());
    one
}
