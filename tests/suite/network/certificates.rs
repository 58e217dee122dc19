//! Whom the client trusts, and as whom it shows itself.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::{Authority, JOB, Nginx, call, finished, run_in_any_case, serve, write};
use crate::support::server::perfreg;

const NOTHING_RUNS: &str = "Nothing is running.\n";

/// The client's command in a mount namespace of its own, in which none of the places of certificates has any.
fn without_certificates(arguments: &[&str]) -> (i32, String, String) {
    let script = "for folder in /etc/ssl /etc/pki /opt/etc/ssl; do
                    [ ! -d $folder ] || mount -t tmpfs none $folder || exit 99
                  done
                  exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(perfreg().get_program());
    finished(command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_certificates_on_the_machine_http_works_and_https_says_what_is_missing() {
    let (server, _database) = serve().await;
    let status = without_certificates(&["status", "--server", &server.url]);
    assert_eq!(status, (0, NOTHING_RUNS.to_owned(), String::new()));
    let run = ["run", "--server", &server.url];
    let (code, printed, said) = without_certificates(&[&run[..], &JOB, &["--", "echo", "started"]].concat());
    assert_eq!((code, printed.as_str()), (0, "started\n"), "{said}");
    let (code, _, said) = without_certificates(&["status", "--server", "https://localhost:8000"]);
    assert_eq!(code, 78, "{said}");
    for words in ["needs the certificates of CAs", "ca-certificates", "SSL_CERT_FILE=/path/ca.pem"] {
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_cannot_be_read_are_named_by_their_variable() {
    let (server, _database) = serve().await;
    let folder = TempDir::new().expect("a folder");
    let empty = write(&folder.path().join("empty"), "");
    let garbage = write(&folder.path().join("garbage"), "no PEM\n");
    let broken = write(&folder.path().join("broken"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("a folder");
    let place = place.to_str().expect("UTF-8");
    for (variable, value) in [
        ("SSL_CERT_FILE", "/nonexistent"),
        ("SSL_CERT_FILE", place),
        ("SSL_CERT_FILE", &empty),
        ("SSL_CERT_FILE", &garbage),
        ("SSL_CERT_FILE", &broken),
        ("SSL_CERT_DIR", "/nonexistent"),
        ("SSL_CERT_DIR", place),
        ("SSL_CERT_DIR", &format!("{place}:/nonexistent")),
    ] {
        let variables = [(variable, value)];
        let plain = call(&["status", "--server", &server.url], &variables);
        assert_eq!(plain, (0, NOTHING_RUNS.to_owned(), String::new()), "http needs no certificates");
        let (code, _, said) = call(&["status", "--server", "https://localhost:8000"], &variables);
        let begin = format!("perfreg: {variable}={value} names no certificates of CAs: ");
        assert!(code == 78 && said.starts_with(&begin), "exit code {code}: {said}");
        assert!(said.contains("SSL_CERT_FILE=/path/ca.pem"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_ca_is_trusted_once_it_is_given() {
    let (server, _database) = serve().await;
    let authority = Authority::new();
    authority.sign("server", "localhost", "30");
    let nginx = Nginx::start("ssl", &authority.directives("server", &server));
    let (url, ca) = (nginx.url("https"), authority.path("ca.pem"));
    let (code, printed, said) = run_in_any_case(&url, &[]);
    assert_eq!((code, printed.as_str()), (78, ""), "{said}");
    assert!(said.contains("is not trusted here") && said.contains("SSL_CERT_FILE=/path/ca.pem"), "{said}");
    assert!(!said.contains("trying again"), "{said}");
    let only = TempDir::new().expect("a folder");
    fs::copy(&ca, only.path().join("ca.pem")).expect("a copy");
    let folder = format!("/nonexistent:{}", only.path().display());
    for variables in [
        &[("SSL_CERT_FILE", ca.as_str())][..],
        &[("SSL_CERT_FILE", &ca), ("SSL_CERT_DIR", "/nonexistent")],
        &[("SSL_CERT_FILE", " "), ("SSL_CERT_DIR", &folder)],
    ] {
        let (code, printed, said) = call(&["status", "--server", &url], variables);
        assert_eq!((code, printed.as_str()), (0, NOTHING_RUNS), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_valid_is_refused_with_the_reason() {
    let (server, _database) = serve().await;
    let authority = Authority::new();
    authority.sign("other", "other.example.com", "30");
    authority.sign("old", "localhost", "-1");
    authority.self_signed("own", "localhost");
    for (name, trusted, words) in [
        ("other", "ca.pem", "is not valid: certificate not valid for name \"localhost\""),
        ("old", "ca.pem", "is not valid: it has expired"),
        ("own", "own.pem", "is one of a CA, which no server may show"),
    ] {
        let nginx = Nginx::start("ssl", &authority.directives(name, &server));
        let variables = [("SSL_CERT_FILE", authority.path(trusted))];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let (code, _, said) = call(&["status", "--server", &nginx.url("https")], &variables);
        assert!(code == 78 && said.contains(words), "{name}: exit code {code}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_to_a_proxy_that_asks_for_one() {
    let (server, _database) = serve().await;
    let authority = Authority::new();
    authority.sign("server", "localhost", "30");
    authority.sign("client", "client", "30");
    let ca = authority.path("ca.pem");
    let asks = format!("ssl_client_certificate {ca}; ssl_verify_client on; ");
    let nginx = Nginx::start("ssl", &(asks + &authority.directives("server", &server)));
    let (url, own) = (nginx.url("https"), authority.path("client-both.pem"));
    let trusts = ("SSL_CERT_FILE", ca.as_str());
    let (code, printed, said) = run_in_any_case(&url, &[trusts]);
    assert_eq!((code, printed.as_str()), (77, ""), "{said}");
    assert!(said.contains("give one with --client-certificate FILE"), "{said}");
    let stranger = Authority::new();
    stranger.sign("client", "client", "30");
    let strange = stranger.path("client-both.pem");
    let (code, _, said) = call(&["status", "--server", &url, "--client-certificate", &strange], &[trusts]);
    assert!(code == 77 && said.contains("give another with --client-certificate FILE"), "{code}: {said}");
    let (code, printed, said) = call(&["status", "--server", &url, "--client-certificate", &own], &[trusts]);
    assert_eq!((code, printed.as_str()), (0, NOTHING_RUNS), "{said}");
    let (code, printed, said) = run_in_any_case(&url, &[trusts, ("PERFREG_CLIENT_CERTIFICATE", &own)]);
    assert_eq!((code, printed.as_str()), (0, "started\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_that_cannot_be_used_is_an_error_of_the_command_line() {
    let (server, _database) = serve().await;
    let authority = Authority::new();
    authority.sign("client", "client", "30");
    authority.sign("other", "other", "30");
    let text = |name: &str| fs::read_to_string(authority.path(name)).expect("a file");
    let locked = authority.path("locked.key");
    let key = authority.path("client.key");
    super::run_openssl(&["pkey", "-in", &key, "-aes256", "-passout", "pass:s3cret", "-out", &locked]);
    let make = |name: &str, text: String| write(authority.folder.path().join(name).as_path(), &text);
    let locked = make("locked", text("client.pem") + &text("locked.key"));
    let mixed = make("mixed", text("client.pem") + &text("other.key"));
    for (path, words) in [
        ("/nonexistent", "No such file or directory"),
        ("/", "Is a directory"),
        (&authority.path("client.pem"), "it has no key"),
        (&authority.path("client.key"), "it has no certificate"),
        (&locked, "its key has a passphrase"),
        (&mixed, "its key belongs to another certificate"),
    ] {
        let (code, _, said) = call(&["status", "--server", &server.url, "--client-certificate", path], &[]);
        let begin = format!("perfreg: --client-certificate {path} cannot be used: {words}");
        assert!(code == 2 && said.starts_with(&begin), "exit code {code}: {said}");
    }
}
