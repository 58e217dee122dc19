//! TLS to PostgreSQL, with libpq's meaning of `sslmode` and `sslrootcert`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::StoreError;

/// What the URL asks of TLS. The driver knows fewer modes than libpq, so they are taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    mode: Option<String>,
    root_certificate: Option<PathBuf>,
}

impl TlsOptions {
    /// Splits the TLS options off a URL and gives the rest of it back.
    pub fn take_from(url: &str) -> Result<(String, Self), StoreError> {
        let mut options = Self::default();
        // A question mark may belong to the password.
        let behind_user = url.find('@').unwrap_or_default();
        let Some(question_mark) = url[behind_user..].find('?') else {
            return Ok((url.to_owned(), options));
        };
        let (base, query) = url.split_at(behind_user + question_mark);
        let query = &query[1..];
        let mut kept = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => options.mode = Some(mode.to_owned()),
                Some(("sslrootcert", path)) => options.root_certificate = Some(percent_decoded(path).into()),
                _ => kept.push(pair),
            }
        }
        if let Some(mode) = &options.mode
            && !["disable", "allow", "prefer", "require", "verify-ca", "verify-full"].contains(&mode.as_str())
        {
            return Err(StoreError::Unsuitable(format!(
                "the database URL is wrong: sslmode={mode} is none of disable, prefer, require, verify-ca, verify-full"
            )));
        }
        let question_mark = if kept.is_empty() { "" } else { "?" };
        Ok((format!("{base}{question_mark}{}", kept.join("&")), options))
    }

    /// The driver's mode; whether the certificate is verified is decided by [`connector`].
    pub fn mode(&self) -> SslMode {
        match self.mode.as_deref() {
            Some("disable") => SslMode::Disable,
            None | Some("allow" | "prefer") => SslMode::Prefer,
            Some(_) => SslMode::Require,
        }
    }

    /// As in libpq, `require` verifies if it is told which authority to trust.
    fn verifies(&self) -> bool {
        match self.mode.as_deref() {
            Some("verify-ca" | "verify-full") => true,
            Some("require") => self.root_certificate.is_some(),
            _ => false,
        }
    }
}

fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes()).map(|(key, _)| key.into_owned()).collect()
}

pub fn connector(options: &TlsOptions) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Broken(error.to_string()))?;
    let config = if options.verifies() {
        builder.with_root_certificates(roots(options.root_certificate.as_deref())?).with_no_client_auth()
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))).with_no_client_auth()
    };
    Ok(MakeRustlsConnect::new(config))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    let certificates = match file {
        None => rustls_native_certs::load_native_certs().certs,
        Some(path) => CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| {
            StoreError::Unsuitable(format!("cannot read the certificates in sslrootcert={}: {error}", path.display()))
        })?,
    };
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(StoreError::Unsuitable(
            "there is no certificate authority to trust; name its file in the database URL with sslrootcert="
                .to_owned(),
        ));
    }
    Ok(roots)
}

/// Accepts every certificate, as libpq does for `prefer` and `require`: the connection is
/// encrypted, but only `verify-full` proves who is at the other end.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_options_are_taken_out_of_the_url_and_the_rest_is_kept() {
        let (url, options) =
            TlsOptions::take_from("postgresql://h/d?sslmode=verify-full&user=me&sslrootcert=%2Fca.pem").expect("valid");
        assert_eq!(url, "postgresql://h/d?user=me");
        assert_eq!(options.root_certificate, Some("/ca.pem".into()));
        assert!(options.verifies());
        assert_eq!(options.mode(), SslMode::Require);
    }

    #[test]
    fn a_question_mark_in_the_password_hides_no_option() {
        let (url, options) = TlsOptions::take_from("postgresql://me:a?b@h/d?sslmode=require").expect("valid");
        assert_eq!(url, "postgresql://me:a?b@h/d");
        assert_eq!(options.mode(), SslMode::Require);
    }

    #[test]
    fn require_verifies_only_with_an_authority_as_in_libpq() {
        let verifies = |url| TlsOptions::take_from(url).expect("valid").1.verifies();
        assert!(!verifies("postgresql://h/d?sslmode=require"));
        assert!(verifies("postgresql://h/d?sslmode=require&sslrootcert=ca.pem"));
        assert!(!verifies("postgresql://h/d"));
    }

    #[test]
    fn an_unknown_mode_is_refused() {
        assert!(TlsOptions::take_from("postgresql://h/d?sslmode=verify").is_err());
    }
}
