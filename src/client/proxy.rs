//! The proxy that the variables of the environment name for the way to the registry.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use super::error::{ClientError, without_password};

/// A proxy, and the variable that names it.
#[derive(Clone, Debug)]
pub struct Proxy {
    url: Url,
    variable: &'static str,
}

impl Proxy {
    pub fn uses_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub fn has_user(&self) -> bool {
        !self.url.username().is_empty()
    }

    pub const fn variable(&self) -> &'static str {
        self.variable
    }

    /// `the proxy http://proxy.example.com:3128 of HTTPS_PROXY`, without its password.
    pub fn describe(&self) -> String {
        format!("the proxy {} of {}", self.url().trim_end_matches('/'), self.variable)
    }

    /// Without its password.
    pub fn url(&self) -> String {
        without_password(&self.url)
    }

    /// The same for the HTTP client, for every URL that it is given.
    pub fn forwarding(&self) -> Result<reqwest::Proxy, ClientError> {
        reqwest::Proxy::all(self.url.clone()).map_err(|error| ClientError::Setup(error.to_string()))
    }
}

/// The proxy for the server, if one is named and no other variable takes the server out.
///
/// # Errors
/// If what is named is no proxy that HTTP knows.
pub fn of_environment(server: &Url) -> Result<Option<Proxy>, ClientError> {
    choose(server, &|name| std::env::var(name).ok())
}

fn choose(server: &Url, variable: &dyn Fn(&'static str) -> Option<String>) -> Result<Option<Proxy>, ClientError> {
    let first = |names: &[&'static str]| {
        let set = |name: &&'static str| Some((*name, variable(name)?.trim().to_owned()));
        names.iter().filter_map(set).find(|(_, value)| !value.is_empty())
    };
    // For a script behind a web server, the request's header "Proxy" would be HTTP_PROXY.
    if variable("REQUEST_METHOD").is_some() {
        return Ok(None);
    }
    let names = if server.scheme() == "https" {
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    };
    let Some((name, value)) = first(&names) else { return Ok(None) };
    let exceptions = first(&["NO_PROXY", "no_proxy"]).map(|(_, value)| value).unwrap_or_default();
    if is_excepted(server, &exceptions) { Ok(None) } else { read(name, &value).map(Some) }
}

/// Whether one of the exceptions is the server: `*`, a name, which stands for all that ends in it, an address, or a
/// range of them, each with or without a port.
fn is_excepted(server: &Url, exceptions: &str) -> bool {
    let port = server.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
    let entries = exceptions.split([',', ' ']).filter(|entry| !entry.is_empty());
    let entries: Vec<&str> = entries.map(|entry| exception(entry, &port)).collect();
    if entries.contains(&"*") {
        return true;
    }
    // Which names and ranges match is curl's rule, which this crate knows; it needs a proxy to be asked.
    let matcher = Matcher::builder().all("http://proxy").no(entries.join(",")).build();
    server.as_str().parse().is_ok_and(|uri| matcher.intercept(&uri).is_none())
}

/// An exception as curl knows it, without the server's port, brackets, and a star before a dot.
fn exception<'entry>(entry: &'entry str, port: &str) -> &'entry str {
    // An address of IPv6 has a port only behind brackets.
    let may_have_port = entry.starts_with('[') || entry.matches(':').count() == 1;
    let host = entry.strip_suffix(port).filter(|_| may_have_port).unwrap_or(entry);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host)
}

/// Without a scheme, it is an HTTP proxy.
fn read(variable: &'static str, value: &str) -> Result<Proxy, ClientError> {
    let full = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let example = format!("give one such as {variable}=http://proxy.example.com:3128");
    let exception = "or set NO_PROXY to the registry's host if no proxy is needed";
    let url = Url::parse(&full).ok().filter(Url::has_host);
    let Some(url) = url else {
        return Err(ClientError::Setup(format!("{variable} is not the URL of a proxy; {example}, {exception}")));
    };
    if matches!(url.scheme(), "http" | "https") {
        return Ok(Proxy { url, variable });
    }
    let scheme = url.scheme();
    Err(ClientError::Setup(format!(
        "{variable} names a proxy of the scheme {scheme}, but perfreg speaks to http and https proxies only; \
         {example}, {exception}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(server: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable = |name: &'static str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        let proxy = choose(&Url::parse(server).expect("a URL"), &variable);
        proxy.map(|proxy| proxy.map(|proxy| proxy.describe())).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_variable_that_says_something_names_the_proxy_of_its_scheme() {
        let one = |server, variables: &[_]| chosen(server, variables).expect("a proxy or none");
        let (plain, tls) = ("http://registry.example.com", "https://registry.example.com");
        assert_eq!(one(plain, &[]), None);
        let both = [("HTTP_PROXY", " "), ("http_proxy", "p:3128"), ("HTTPS_PROXY", "https://me:s3cret@q")];
        assert_eq!(one(plain, &both).as_deref(), Some("the proxy http://p:3128 of http_proxy"));
        assert_eq!(one(tls, &both).as_deref(), Some("the proxy https://me:***@q of HTTPS_PROXY"));
        let all = [("HTTPS_PROXY", ""), ("ALL_PROXY", "http://p")];
        assert_eq!(one(tls, &all).as_deref(), Some("the proxy http://p of ALL_PROXY"));
        assert_eq!(one(plain, &[("HTTP_PROXY", "p"), ("REQUEST_METHOD", "GET")]), None);
    }

    #[test]
    fn no_proxy_takes_names_addresses_ranges_ports_and_all_out() {
        for (server, exceptions, is_excepted) in [
            ("http://registry.example.com", "other.com,*", true),
            ("http://10.1.2.3:8000", "*", true),
            ("http://[::1]:8000", "*", true),
            ("http://registry.example.com", "example.com", true),
            ("http://registry.example.com", ".example.com", true),
            ("http://registry.example.com", "*.example.com", true),
            ("http://registry.example.com", "gistry.example.com", false),
            ("http://registry.example.com:8000", "a, registry.example.com:8000", true),
            ("http://registry.example.com:8000", "registry.example.com:9000", false),
            ("https://registry.example.com", "registry.example.com:443", true),
            ("http://10.1.2.3:8000", "10.0.0.0/8", true),
            ("http://11.1.2.3:8000", "10.0.0.0/8", false),
            ("http://[::1]:8000", "[::1]:8000", true),
            ("http://[::1]:8000", "::1", true),
            ("http://[2001:db8::80]", "2001:db8::80", true),
            ("http://registry.example.com", "a b registry.example.com", true),
        ] {
            let variables = [("ALL_PROXY", "http://p"), ("NO_PROXY", exceptions)];
            let proxy = chosen(server, &variables).expect("a proxy or none");
            assert_eq!(proxy.is_none(), is_excepted, "{server} and {exceptions}");
        }
        let variables = [("ALL_PROXY", "http://p"), ("NO_PROXY", ""), ("no_proxy", "localhost")];
        assert_eq!(chosen("http://localhost:8000", &variables), Ok(None), "one that is empty says nothing");
    }

    #[test]
    fn what_is_no_http_proxy_is_named_by_its_variable_without_its_password() {
        for (value, words) in [
            ("socks5://me:s3cret@p:1080", "ALL_PROXY names a proxy of the scheme socks5"),
            ("http://", "ALL_PROXY is not the URL of a proxy"),
            ("http://me:s3cret@p:port", "ALL_PROXY is not the URL of a proxy"),
        ] {
            let message = chosen("http://registry", &[("ALL_PROXY", value)]).expect_err("no HTTP proxy");
            assert!(message.starts_with(words) && !message.contains("s3cret"), "{message}");
        }
    }
}
