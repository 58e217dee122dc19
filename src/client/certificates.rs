//! Whom the client trusts, and as whom it shows itself.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_certs_from_paths};

use super::ClientError;

/// The variables that OpenSSL reads as well.
const FILE: &str = "SSL_CERT_FILE";
const FOLDER: &str = "SSL_CERT_DIR";

/// A certificate of the client, with those that have signed it, and its key.
pub struct Identity {
    path: PathBuf,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Reads a certificate and its key out of one PEM file.
///
/// # Errors
/// If the file has not both.
pub fn read_identity(path: &Path) -> Result<Identity, ClientError> {
    let wrong = |what: String| wrong_identity(path, &what);
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(format!("it is no PEM file: {error}")))?;
    if chain.is_empty() {
        return Err(wrong("it has no certificate; put the certificate and its key into one PEM file".to_owned()));
    }
    if ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"].iter().any(|mark| contains(&text, mark)) {
        return Err(wrong("its key has a passphrase; write the key without one, by openssl pkey -in KEY".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        wrong(match error {
            pem::Error::NoItemsFound => "it has no key; put the certificate and its key into one PEM file".to_owned(),
            error => format!("its key cannot be read: {error}"),
        })
    })?;
    Ok(Identity { path: path.to_owned(), chain, key })
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

fn wrong_identity(path: &Path, what: &str) -> ClientError {
    ClientError::Options(format!("--client-certificate {} cannot be used: {what}", path.display()))
}

/// How the client speaks TLS; without TLS it needs no certificates at all, and many images have none.
///
/// # Errors
/// If there is nobody to trust, or the client's certificate and key do not belong together.
pub fn configuration(uses_tls: bool, identity: Option<Identity>) -> Result<ClientConfig, ClientError> {
    let roots = if uses_tls { trusted()? } else { RootCertStore::empty() };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Setup(error.to_string()))?
        .with_root_certificates(roots);
    let Some(Identity { path, chain, key }) = identity else { return Ok(builder.with_no_client_auth()) };
    builder.with_client_auth_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => wrong_identity(&path, "its key belongs to another certificate"),
        error => wrong_identity(&path, &error.to_string()),
    })
}

/// The CAs that the variables name, else those of the machine.
fn trusted() -> Result<RootCertStore, ClientError> {
    let (file, folders) = (variable(FILE).map(PathBuf::from), variable(FOLDER));
    let mut roots = RootCertStore::empty();
    if let Some(file) = &file {
        let loaded = load_certs_from_paths(Some(file), None);
        add(&mut roots, loaded).map_err(|problem| nobody_to_trust(FILE, &file.display().to_string(), &problem))?;
    }
    if let Some(folders) = &folders {
        let loaded = load_folders(&std::env::split_paths(folders).collect::<Vec<_>>());
        let added = add(&mut roots, loaded);
        if roots.is_empty() {
            added.map_err(|problem| nobody_to_trust(FOLDER, &folders.display().to_string(), &problem))?;
        }
    }
    if file.is_none() && folders.is_none() {
        // Unlike rustls-native-certs, this passes over variables that are set to nothing.
        let found = openssl_probe::probe();
        for loaded in [load_certs_from_paths(found.cert_file.as_deref(), None), load_folders(&found.cert_dir)] {
            roots.add_parsable_certificates(loaded.certs);
        }
    }
    if roots.is_empty() {
        return Err(ClientError::Setup(format!(
            "https needs the certificates of CAs, and this machine has none; install the package ca-certificates, or \
             give a PEM file with them, as {FILE}=/path/ca.pem"
        )));
    }
    Ok(roots)
}

/// A variable that is set to nothing counts as not set.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.to_string_lossy().trim().is_empty())
}

fn load_folders(folders: &[PathBuf]) -> CertificateResult {
    let mut all = CertificateResult::default();
    for folder in folders.iter().filter(|folder| !folder.as_os_str().is_empty()) {
        let CertificateResult { certs, errors, .. } = load_certs_from_paths(None, Some(folder));
        all.certs.extend(certs);
        all.errors.extend(errors);
    }
    all
}

/// Adds what was found; the problem, if that is no certificate at all.
fn add(roots: &mut RootCertStore, loaded: CertificateResult) -> Result<(), String> {
    if roots.add_parsable_certificates(loaded.certs).0 > 0 {
        return Ok(());
    }
    let cause = |error: &rustls_native_certs::Error| error.source().map(ToString::to_string);
    Err(loaded.errors.first().and_then(cause).unwrap_or_else(|| "no certificate in PEM is there".to_owned()))
}

fn nobody_to_trust(variable: &str, path: &str, problem: &str) -> ClientError {
    ClientError::Setup(format!(
        "{variable}={path} names no certificates of CAs: {problem}; name a PEM file with them, as {FILE}=/path/ca.pem, \
         or unset it"
    ))
}
