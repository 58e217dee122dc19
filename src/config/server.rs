//! How the server listens and stops.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::hosts::AllowedHosts;

#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// How long requests that have begun may take after SIGTERM.
    pub stop_grace: Duration,
    pub public_url: Option<PublicUrl>,
    pub hosts: AllowedHosts,
}

/// Where people find the server, which may be behind a proxy that adds a path. It ends with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Url);

/// What is wrong, without the URL itself, in which a password may stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    #[error("give a URL that begins with http:// or https://, without ? and #, such as https://ci.example.com/perfreg")]
    NoPlace,
    #[error(
        "it has a user or a password, which everybody would see; leave them out, as in https://ci.example.com/perfreg"
    )]
    User,
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let mut url = Url::parse(text.trim()).map_err(|_| PublicUrlError::NoPlace)?;
        let is_place = url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_place {
            return Err(PublicUrlError::NoPlace);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PublicUrlError::User);
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }
}

impl PublicUrl {
    /// Where people look at a run.
    #[must_use]
    pub fn page_of_run(&self, run_id: i64) -> String {
        format!("{}runs/{run_id}", self.0)
    }

    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// What a browser sends as the origin of the pages there.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The name or the address of the host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_may_have_a_path_with_or_without_a_slash_behind() {
        for (text, page) in [
            ("https://ci.example.com", "https://ci.example.com/runs/7"),
            ("https://ci.example.com/perfreg", "https://ci.example.com/perfreg/runs/7"),
            ("http://10.0.0.1:8000/a/b/\n", "http://10.0.0.1:8000/a/b/runs/7"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().map(|url| url.page_of_run(7)), Ok(page.to_owned()));
        }
    }

    #[test]
    fn a_public_url_that_no_page_can_stand_below_is_refused() {
        for text in ["", "ci.example.com", "ci.example.com:8000", "ftp://a", "http://", "http://a?b", "http://a#b"] {
            assert_eq!(text.parse::<PublicUrl>(), Err(PublicUrlError::NoPlace), "{text}");
        }
    }

    #[test]
    fn a_public_url_with_a_user_or_a_password_is_refused() {
        for text in ["https://me:s3cret@a", "https://me@a/b", "http://:s3cret@a"] {
            assert_eq!(text.parse::<PublicUrl>(), Err(PublicUrlError::User), "{text}");
        }
    }
}
