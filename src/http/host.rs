//! Which host a request is for, and whether this server answers for it.
//!
//! A page may have its own name lead to this server's address, and then counts for the browser as this server's own. Its
//! name is all that gives it away.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, Request, Version, header};

use super::error::ApiError;
use crate::config::hosts::AllowedHosts;

/// What probes call, by whatever name, and the style and the icon of the page that tells a person of a refusal.
const ANSWERED_BY_ANY_NAME: [&str; 5] = ["/healthz", "/readyz", "/metrics", "/assets/{file}", "/favicon.ico"];
const PAUSE_BETWEEN_WARNINGS: Duration = Duration::from_mins(1);
/// So much of a name is repeated.
const LONGEST_NAME_BYTES: usize = 255;

/// Refuses requests for other hosts.
pub struct HostCheck {
    hosts: AllowedHosts,
    last_warning: Mutex<Option<Instant>>,
}

impl HostCheck {
    pub fn new(hosts: AllowedHosts) -> Self {
        Self { hosts, last_warning: Mutex::new(None) }
    }

    /// Whether the request is answered, which is for the route.
    pub fn check<B>(&self, request: &Request<B>, route: &str) -> Result<(), ApiError> {
        let refusal = match host(request) {
            Ok(Some(host)) if !self.hosts.allow(host) => ApiError::UnknownHost(repeatable(host).map(str::to_owned)),
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if ANSWERED_BY_ANY_NAME.contains(&route) { Ok(()) } else { Err(refusal) }
    }

    /// Says in the log, now and then, which name may be missing among those that are known.
    pub fn warn_of(&self, refusal: &ApiError) {
        let (ApiError::UnknownHost(Some(host)), Ok(mut last)) = (refusal, self.last_warning.try_lock()) else { return };
        if last.is_none_or(|last| last.elapsed() >= PAUSE_BETWEEN_WARNINGS) {
            *last = Some(Instant::now());
            tracing::warn!(
                host,
                "a request was refused, since this server is not known by the name that it was called by"
            );
        }
    }
}

/// The host that the request is for, without its port; none where it may leave it open.
fn host<B>(request: &Request<B>) -> Result<Option<&str>, ApiError> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let (header, another) = (headers.next(), headers.next());
    let header = header.map(text).transpose()?;
    let target = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let is_http1 = request.version() < Version::HTTP_2;
    let is_left_out = if is_http1 { header.is_none() } else { header.is_none() && target.is_none() };
    let may_be_left_out = request.version() < Version::HTTP_11;
    // HTTP/1 asks servers to go by the target; HTTP/2 asks them to refuse.
    let differ = || !is_http1 && target.zip(header).is_some_and(|(one, other)| !one.eq_ignore_ascii_case(other));
    if another.is_some() || (is_left_out && !may_be_left_out) || differ() {
        return Err(ApiError::InvalidHost);
    }
    if let Some(header) = header {
        without_port(header)?;
    }
    target.or(header).map(without_port).transpose().map(|host| host.filter(|host| !host.is_empty()))
}

fn text(value: &HeaderValue) -> Result<&str, ApiError> {
    std::str::from_utf8(value.as_bytes()).map_err(|_| ApiError::InvalidHost)
}

/// What stands before the port, if it can be a host at all.
fn without_port(host: &str) -> Result<&str, ApiError> {
    let end_of_address = host.starts_with('[').then(|| host.rfind(']')).flatten().map_or(0, |end| end + 1);
    let (host, port) = match host[end_of_address..].find(':') {
        Some(colon) => (&host[..end_of_address + colon], &host[end_of_address + colon + 1..]),
        None => (host, ""),
    };
    let is_forbidden = |character: char| character.is_ascii_control() || " \"#,/<>?@\\^`{|}".contains(character);
    if host.contains(is_forbidden) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::InvalidHost);
    }
    Ok(host)
}

/// The name, if it can stand in a sentence as it is.
fn repeatable(name: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (name.len() <= LONGEST_NAME_BYTES && name.bytes().all(is_plain)).then_some(name)
}
