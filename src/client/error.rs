//! What can go wrong between the client and a registry.

use std::error::Error;

use reqwest::Url;

use crate::wire::problem::Problem;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{server} is not the URL of a server: {reason}; give one such as http://localhost:8000")]
    Url { server: String, reason: String },
    /// What was given for the way to the registry cannot be used.
    #[error("{0}")]
    Options(String),
    /// Something on the way is set up in another way than the client is; to try again does not help.
    #[error("{0}")]
    Setup(String),
    /// What stands before the registry does not let the client through.
    #[error("{0}")]
    Denied(String),
    #[error("cannot reach the registry at {server}: {reason}")]
    Unreachable { server: String, reason: String },
    /// The server understood and said no; `body` is its whole answer.
    #[error("{}", problem.detail)]
    Refused { problem: Box<Problem>, body: String },
    /// The server lacks what was asked for.
    #[error("this server is older than perfreg {} and {lacks}; upgrade it", env!("CARGO_PKG_VERSION"))]
    OldServer { lacks: &'static str },
    #[error("what answers at {server} is not a registry: {reason}; is the URL right? If not, set PERFREG_URL")]
    NotARegistry { server: String, reason: String },
    #[error("cannot write the answer: {0}")]
    Output(std::io::Error),
}

impl ClientError {
    /// Whether the same call may be answered in a moment.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NotARegistry { .. } => true,
            Self::Refused { problem, .. } => problem.status >= 500,
            Self::Url { .. }
            | Self::Options(_)
            | Self::Setup(_)
            | Self::Denied(_)
            | Self::OldServer { .. }
            | Self::Output(_) => false,
        }
    }

    /// Whether the call did not come as far as the registry, although calls before it may have.
    #[must_use]
    pub fn is_of_the_way(&self) -> bool {
        self.is_temporary() || matches!(self, Self::Setup(_) | Self::Denied(_))
    }
}

pub fn without_password(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // A URL that has a password can be given another.
        let _ = url.set_password(Some("***"));
    }
    url.to_string()
}

/// As much of a text that is no URL as cannot be secret.
pub fn without_user(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else { return text.to_owned() };
    let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
    format!("{scheme}***@{host}")
}

/// The error, and what has caused it, each the cause of the one before.
pub fn causes<'error>(error: &'error (dyn Error + 'static)) -> impl Iterator<Item = &'error (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The cause that says something: "Connection refused", not "error sending request".
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::client::{Access, Client};

    #[test]
    fn what_is_no_url_is_shown_without_its_user_and_password() {
        for (server, shown) in [
            ("http://me:s3cret@host:port", "http://***@host:port is not the URL of a server: "),
            ("http://me:s3/cr@et@host:port", "http://***@host:port is not the URL of a server: "),
            ("me:s3cret@host", "***@host is not the URL of a server: "),
            ("//me:s3cret@host", "***@host is not the URL of a server: "),
            ("ftp://me:s3cret@host", "ftp://me:***@host/ is not the URL of a server: "),
            ("host:8000", "host:8000 is not the URL of a server: "),
        ] {
            let access = Access { server: server.to_owned(), ..Access::default() };
            let error = Client::new(&access).expect_err("no URL").to_string();
            assert!(error.starts_with(shown), "{error}");
        }
    }
}
