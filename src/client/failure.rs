//! Why there is no answer to a call, and what can be done about it.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::error::{causes, innermost};
use super::{Client, ClientError, DEFAULT_SERVER};

impl Client {
    /// What to say of a call that failed on the way.
    pub(super) fn failure(&self, error: &reqwest::Error) -> ClientError {
        if let Some(error) = causes(error).find_map(tls_error) {
            return self.tls_failure(error);
        }
        if self.server.scheme() == "http" && causes(error).any(is_no_http) {
            return self.speaks_tls();
        }
        let reason = innermost(error);
        let Some(proxy) = &self.proxy else {
            let is_default = self.server().trim_end_matches('/') == DEFAULT_SERVER && error.is_connect();
            let advice = if is_default { "; if it is elsewhere, set PERFREG_URL or --server" } else { "" };
            return self.unreachable(format!("{reason}{advice}"));
        };
        let (host, name) = (self.server.host_str().unwrap_or_default(), proxy.describe());
        let cannot_be_reached = || {
            self.unreachable(format!(
                "{name} cannot be reached: {reason}; give another one, or set NO_PROXY={host} if none is needed"
            ))
        };
        match causes(error).find_map(tunnel_error).as_deref() {
            Some("proxy authorization required") => self.proxy_denies(),
            Some("failed to create underlying connection") => cannot_be_reached(),
            Some(_) => self.unreachable(format!(
                "{name} does not connect to it; set NO_PROXY={host} if no proxy is needed, or ask who runs the proxy"
            )),
            None if error.is_connect() && self.server.scheme() == "http" => cannot_be_reached(),
            None => self.unreachable(format!("{reason}, behind {name}")),
        }
    }

    pub(super) fn unreachable(&self, reason: String) -> ClientError {
        ClientError::Unreachable { server: self.server(), reason }
    }

    /// The proxy does not know who asks.
    pub(super) fn proxy_denies(&self) -> ClientError {
        ClientError::Denied(match &self.proxy {
            Some(proxy) if proxy.has_user() => {
                let (name, variable) = (proxy.describe(), proxy.variable());
                format!("{name} does not take its user and password; give {variable} the right ones")
            }
            Some(proxy) => {
                let (name, variable) = (proxy.describe(), proxy.variable());
                format!(
                    "{name} asks for a user and a password; give them, as {variable}=http://USER:PASSWORD@HOST:PORT"
                )
            }
            None => {
                let variable = if self.server.scheme() == "https" { "HTTPS_PROXY" } else { "HTTP_PROXY" };
                format!(
                    "a proxy before {} asks for a user and a password; name it with both, as \
                     {variable}=http://USER:PASSWORD@HOST:PORT",
                    self.server()
                )
            }
        })
    }

    /// TLS is spoken at an http URL, be it the registry's or that of a proxy.
    pub(super) fn speaks_tls(&self) -> ClientError {
        let (who, variable, url) = match &self.proxy {
            Some(proxy) => (proxy.describe(), proxy.variable(), proxy.url()),
            None => (format!("what answers at {}", self.server()), "PERFREG_URL", self.server()),
        };
        let secure = url.replacen("http://", "https://", 1);
        let secure = secure.trim_end_matches('/');
        ClientError::Setup(format!("{who} does not speak HTTP, but maybe TLS; if so, set {variable}={secure}"))
    }

    /// The time for an answer is over.
    pub(super) fn silence(&self) -> ClientError {
        let who = self.proxy.as_ref().map_or_else(|| "it".to_owned(), |proxy| format!("it, or {},", proxy.describe()));
        self.unreachable(format!("{who} does not answer"))
    }

    fn tls_failure(&self, error: &rustls::Error) -> ClientError {
        let server = self.server();
        // The two are told apart by nothing in the error.
        let proxy = self.proxy.as_ref().filter(|proxy| proxy.uses_tls());
        let who = proxy.map_or_else(|| server.clone(), |proxy| format!("{server}, or of {},", proxy.describe()));
        match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => ClientError::Setup(format!(
                "the certificate of {who} is not trusted here: no CA that is known has signed it; give its CA, as \
                 SSL_CERT_FILE=/path/ca.pem"
            )),
            rustls::Error::InvalidCertificate(CertificateError::Other(other)) if is_of_a_ca(other) => {
                ClientError::Setup(format!(
                    "the certificate of {who} is one of a CA, which no server may show; give the server one that is \
                     signed by it, with CA:FALSE"
                ))
            }
            rustls::Error::InvalidCertificate(reason) => ClientError::Setup(format!(
                "the certificate of {who} is not valid: {}; ask who runs the registry for a valid one",
                fault(reason)
            )),
            rustls::Error::AlertReceived(alert) if is_about_identity(*alert) => {
                let advice = if self.has_client_certificate {
                    format!("it does not take the one of --client-certificate ({alert:?}); give another")
                } else {
                    "give one with --client-certificate FILE".to_owned()
                };
                ClientError::Denied(format!("{server} asks for a client certificate: {advice}"))
            }
            rustls::Error::InvalidMessage(_) => {
                let plain = server.replacen("https://", "http://", 1);
                let plain = plain.trim_end_matches('/');
                ClientError::Setup(format!(
                    "what answers at {server} does not speak TLS; if it speaks plain HTTP, set PERFREG_URL={plain}"
                ))
            }
            error => self.unreachable(format!("TLS fails: {error}")),
        }
    }
}

/// An error of TLS, which errors of input and output wrap without naming it as their source.
fn tls_error<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error rustls::Error> {
    let wrapped = |error: &'error io::Error| tls_error(error.get_ref()?);
    error.downcast_ref().or_else(|| error.downcast_ref::<io::Error>().and_then(wrapped))
}

/// Whether the other end closed the connection before its answer was read.
pub fn is_broken_off(error: &reqwest::Error) -> bool {
    let kind = |error: &io::Error| matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
    !error.is_connect() && causes(error).filter_map(|error| error.downcast_ref()).any(kind)
}

/// What went wrong between the client and a proxy that it asked for a connection; the error has no public type.
fn tunnel_error(error: &(dyn Error + 'static)) -> Option<String> {
    error.to_string().strip_prefix("tunnel error: ").map(str::to_owned)
}

fn is_no_http(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
}

/// What is wrong with a certificate, where its library has only a word for it.
fn fault(reason: &CertificateError) -> String {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, or the clock of this machine is wrong".to_owned()
        }
        reason => reason.to_string(),
    }
}

/// A certificate that was made to sign others, such as that of `openssl req -x509`.
fn is_of_a_ca(error: &rustls::OtherError) -> bool {
    error.to_string().contains("CaUsedAsEndEntity")
}

/// What a server says of a client that shows no certificate, or not the right one.
const fn is_about_identity(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}
