//! What comes back of a call: the registry's answer, or that of something else on the way.

use reqwest::header::LOCATION;
use reqwest::{Response, StatusCode, Url};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::age::is_unknown_path;
use super::proxy::Proxy;
use super::{Client, ClientError};
use crate::wire::problem::Problem;

/// The kinds of problems that a registry tells begin like this; a gateway may tell its own.
const OWN_PROBLEMS: &str = "urn:perfreg:";
/// What a registry says of a call that came to it in a way that it does not take, whatever was asked.
const PROBLEMS_OF_THE_WAY: [&str; 2] = ["urn:perfreg:problem:unknown-host", "urn:perfreg:problem:invalid-host"];
/// How nginx, Go and Apache say that HTTP came to a port of theirs that speaks TLS.
const IS_FOR_TLS: [&str; 3] = ["to HTTPS port", "to an HTTPS server", "to an SSL-enabled server"];
/// What a proxy says besides that it cannot reach the registry, and may not say a moment later.
const IS_FOR_A_WHILE: [StatusCode; 2] = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
/// So much of a page's title is repeated.
const LONGEST_TITLE: usize = 100;

/// The answer to a call that was understood, as the server sent it.
#[derive(Clone, Debug)]
pub struct Answer {
    server: String,
    text: String,
}

impl Answer {
    pub(super) const fn new(server: String, text: String) -> Self {
        Self { server, text }
    }

    /// The JSON text.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.text
    }

    /// # Errors
    /// If the server is not of a version that this client knows.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_str(&self.text).map_err(|error| self.unreadable(&error.to_string()))
    }

    /// The error that says why this is no answer of a registry.
    #[must_use]
    pub fn unreadable(&self, why: &str) -> ClientError {
        ClientError::NotARegistry { server: self.server.clone(), reason: why.to_owned() }
    }
}

impl Client {
    /// Reads the answer to a call of `path`.
    pub(super) async fn read(&self, path: &[&str], response: Response) -> Result<Answer, ClientError> {
        let status = response.status();
        let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
        if let Some(target) = target.filter(|_| status.is_redirection()) {
            return Err(self.moved(response.url(), path, target));
        }
        let called = response.url().path().to_owned();
        let body = match response.text().await {
            Ok(body) => body,
            // What refuses a call without reading it may break its own answer off; the status says enough.
            Err(_) if !status.is_success() => String::new(),
            Err(error) => return Err(self.failure(&error)),
        };
        if matches!(status, StatusCode::OK | StatusCode::ACCEPTED) {
            if serde_json::from_str::<IgnoredAny>(&body).is_ok() {
                return Ok(Answer::new(self.server(), body));
            }
            let page = title(&body).map(|title| format!(", but a page: {title}")).unwrap_or_default();
            return Err(self.not_a_registry(format!("it sends no JSON{page}")));
        }
        let problem = serde_json::from_str::<Box<Problem>>(&body).ok();
        match problem.filter(|problem| problem.kind.starts_with(OWN_PROBLEMS)) {
            Some(problem) if self.is_below_another_path(&problem) => {
                let (server, path) = (self.server(), called);
                Err(ClientError::Setup(format!(
                    "the registry has nothing at {path}, so {server} may not be its URL; set PERFREG_URL to the right one"
                )))
            }
            Some(problem) if PROBLEMS_OF_THE_WAY.contains(&problem.kind.as_str()) => {
                let (server, detail) = (self.server(), problem.detail.trim_end_matches('.'));
                let server = server.trim_end_matches('/');
                Err(ClientError::Setup(format!("the registry at {server} says: {detail}")))
            }
            Some(problem) => Err(ClientError::Refused { problem, body }),
            None => Err(self.answer_of_another(status, &body)),
        }
    }

    fn not_a_registry(&self, reason: String) -> ClientError {
        let reason = reason.trim_end_matches('.').to_owned();
        ClientError::NotARegistry { server: self.server(), reason }
    }

    /// The registry is there, but not below the path of the URL.
    fn is_below_another_path(&self, problem: &Problem) -> bool {
        self.server.path() != "/" && is_unknown_path(problem)
    }

    /// What a proxy, or a server that is no registry, says.
    fn answer_of_another(&self, status: StatusCode, body: &str) -> ClientError {
        let (server, scheme) = (self.server(), self.server.scheme());
        let said = said(status, body);
        // Where the two speak TLS, a proxy cannot answer itself.
        let proxy = self.proxy.as_ref().filter(|_| scheme == "http").map(Proxy::describe);
        let who = proxy.as_ref().map_or_else(|| server.clone(), |proxy| format!("{proxy}, or {server},"));
        match status {
            StatusCode::UNAUTHORIZED if self.has_credentials => ClientError::Denied(format!(
                "{who} says {said}: it does not take the user or the header that was given; give the right one"
            )),
            StatusCode::UNAUTHORIZED => ClientError::Denied(format!(
                "{who} says {said}: give a user in the URL, as {scheme}://USER:PASSWORD@HOST, or what it asks for with \
                 --header"
            )),
            StatusCode::FORBIDDEN => {
                ClientError::Denied(format!("{who} says {said}: it does not let you through; ask who runs it"))
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => self.proxy_denies(),
            StatusCode::BAD_REQUEST if body.contains("SSL certificate") => {
                let other = if self.has_client_certificate { "another" } else { "one" };
                ClientError::Denied(format!("{server} says {said}: give {other} with --client-certificate FILE"))
            }
            StatusCode::BAD_REQUEST if IS_FOR_TLS.iter().any(|words| body.contains(words)) => self.speaks_tls(),
            status if status.is_server_error() || IS_FOR_A_WHILE.contains(&status) => {
                let who = proxy.map(|proxy| format!("{proxy}, or ")).unwrap_or_default();
                self.unreachable(format!("{who}what stands before it says {said}"))
            }
            _ => self.not_a_registry(match proxy {
                Some(proxy) => format!("it, or {proxy}, says {said}"),
                None => format!("it says {said}"),
            }),
        }
    }

    /// Where the registry is, if the answer to a call only names another URL.
    fn moved(&self, called: &Url, path: &[&str], target: &str) -> ClientError {
        let server = self.server();
        let server = server.trim_end_matches('/');
        let Ok(mut target) = called.join(target) else {
            return self.not_a_registry("it redirects to what is no URL".to_owned());
        };
        target.set_query(None);
        target.set_fragment(None);
        let _ = target.set_password(None);
        let _ = target.set_username("");
        ClientError::Setup(match base_of(&target, path) {
            Some(base) if is_same(&base, &self.server) => format!(
                "what answers at {server} redirects the call to {target}, which is the same call again; correct that \
                 redirect, or set PERFREG_URL to the registry's own URL"
            ),
            Some(base) => {
                let base = base.as_str().trim_end_matches('/');
                format!("the registry at {server} is at {base} now; set PERFREG_URL={base}")
            }
            None => format!(
                "the registry at {server} redirects to {target} and does not answer; if that is a login, give the \
                 header that it asks for with --header, else set PERFREG_URL to the registry's URL"
            ),
        })
    }
}

/// The URL below which the path of the call stands; none if it ends in something else.
fn base_of(target: &Url, path: &[&str]) -> Option<Url> {
    let mut base = target.clone();
    let mut expected = base.clone();
    expected.set_path("/");
    expected.path_segments_mut().ok()?.pop_if_empty().extend(path);
    let prefix = target.path().trim_end_matches('/').strip_suffix(expected.path())?;
    base.set_path(&format!("{prefix}/"));
    Some(base)
}

fn is_same(base: &Url, server: &Url) -> bool {
    let place = |url: &Url| {
        (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default(), url.path().to_owned())
    };
    place(base) == place(server)
}

/// The status, or the title of the page if that says it as well.
fn said(status: StatusCode, body: &str) -> String {
    match title(body) {
        Some(title) if title.contains(status.as_str()) => title,
        Some(title) => format!("{status} ({title})"),
        None => status.to_string(),
    }
}

/// What a page calls itself; error pages say there what is wrong.
fn title(body: &str) -> Option<String> {
    let lower = body.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let title = body[start..end].split_whitespace().collect::<Vec<_>>().join(" ");
    Some(title.chars().take(LONGEST_TITLE).collect()).filter(|title: &String| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Access;

    fn moved(server: &str, path: &[&str], target: &str) -> String {
        let client = Client::new(&Access { server: server.to_owned(), ..Access::default() }).expect("a client");
        client.moved(&client.url(path), path, target).to_string()
    }

    #[test]
    fn a_redirect_says_where_the_registry_is_whatever_path_was_called() {
        for (server, path, target, base) in [
            ("http://a", &["register"][..], "https://b/register", "https://b"),
            ("http://a", &["locations", "on prem/1"], "https://b/locations/on%20prem%2F1", "https://b"),
            ("http://a", &["history"], "https://b/history?status=queued", "https://b"),
            ("http://a/old", &["executions", "7"], "/new/deep/executions/7", "http://a/new/deep"),
            ("http://a/old", &["status"], "../status/", "http://a"),
            ("http://a:8000", &["status"], "//me:s3cret@b:9000/x/status", "http://b:9000/x"),
        ] {
            let expected = format!("the registry at {server} is at {base} now; set PERFREG_URL={base}");
            assert_eq!(moved(server, path, target), expected);
        }
    }

    #[test]
    fn a_redirect_in_a_circle_is_no_move_and_no_login() {
        for (server, target, shown) in [
            ("http://a", "/status", "http://a/status"),
            ("http://a", "//me:s3cret@a:80/status?s3cret", "http://a/status"),
            ("http://a", "/status/", "http://a/status/"),
            ("http://a/b/", "http://a/b/status", "http://a/b/status"),
        ] {
            let server_shown = server.trim_end_matches('/');
            let expected = format!(
                "what answers at {server_shown} redirects the call to {shown}, which is the same call again; correct that \
                 redirect, or set PERFREG_URL to the registry's own URL"
            );
            assert_eq!(moved(server, &["status"], target), expected);
        }
    }

    #[test]
    fn a_redirect_to_a_login_is_shown_without_what_is_secret() {
        for (target, shown) in [
            ("https://me:s3cret@login.b/sign-in?s3cret=http://a/status#s3cret", "https://login.b/sign-in"),
            ("/", "http://a/"),
            ("/xstatus", "http://a/xstatus"),
        ] {
            let message = moved("http://a", &["status"], target);
            let begin = format!("the registry at http://a redirects to {shown} and does not answer; ");
            assert!(message.starts_with(&begin) && !message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn the_title_of_an_error_page_is_repeated_on_one_line() {
        let page = "<html><head><TITLE lang=en>400 No required\n SSL certificate</Title></head>";
        assert_eq!(title(page).as_deref(), Some("400 No required SSL certificate"));
        for nothing in ["", "plain text", "<title>", "<title></title>", "<title"] {
            assert_eq!(title(nothing), None);
        }
        let long = title(&format!("<title>{}</title>", "ü".repeat(200))).expect("a title");
        assert_eq!(long.chars().count(), LONGEST_TITLE);
    }
}
