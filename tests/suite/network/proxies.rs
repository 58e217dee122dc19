//! A proxy that the variables of the environment name.

use std::process::Command;

use tempfile::TempDir;

use super::{Authority, Listening, Nginx, call, free_port, run_in_any_case, serve, write};

/// tinyproxy, which connects to one port only, and may ask for a password.
struct Proxy {
    port: u16,
    _folder: TempDir,
    _process: Listening,
}

impl Proxy {
    fn start(allowed_port: u16, more: &str) -> Self {
        let (port, folder) = (free_port(), TempDir::new().expect("a folder"));
        let configuration = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogFile \"{}/log\"\nConnectPort {allowed_port}\n{more}\n",
            folder.path().display()
        );
        let file = write(&folder.path().join("tinyproxy.conf"), &configuration);
        let process = Listening::start(Command::new("tinyproxy").args(["-d", "-c", &file]), port);
        Self { port, _folder: folder, _process: process }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_stands_between_and_its_errors_name_its_variable() {
    let (server, _database) = serve().await;
    let authority = Authority::new();
    authority.sign("server", "localhost", "30");
    let nginx = Nginx::start("ssl", &authority.directives("server", &server));
    let proxy = Proxy::start(nginx.port, "");
    let address = format!("127.0.0.1:{}", proxy.port);
    let ca = authority.path("ca.pem");
    let trusts = ("SSL_CERT_FILE", ca.as_str());
    for (variable, url) in [("HTTP_PROXY", server.url.clone()), ("https_proxy", nginx.url("https"))] {
        let (code, printed, said) = run_in_any_case(&url, &[trusts, (variable, &address)]);
        assert_eq!((code, printed.as_str()), (0, "started\n"), "{said}");
    }
    // The proxy connects to no other port.
    let elsewhere = format!("https://localhost:{}", free_port());
    let (code, _, said) = call(&["status", "--server", &elsewhere], &[trusts, ("HTTPS_PROXY", &address)]);
    let refusal = format!("the proxy http://{address} of HTTPS_PROXY does not connect to it; set NO_PROXY=localhost");
    assert!(code == 69 && said.contains(&refusal), "exit code {code}: {said}");
    let nowhere = format!("http://localhost:{}", free_port());
    let (code, _, said) = call(&["status", "--server", &nowhere], &[("all_proxy", &address)]);
    assert!(code == 69 && said.contains(&format!("the proxy http://{address} of all_proxy")), "{code}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_asks_for_a_password_is_no_outage() {
    let (server, _database) = serve().await;
    let proxy = Proxy::start(443, "BasicAuth me s3cret");
    let address = format!("127.0.0.1:{}", proxy.port);
    let trusts = Authority::new();
    let ca = ("SSL_CERT_FILE", trusts.path("ca.pem"));
    let ca = (ca.0, ca.1.as_str());
    for (variable, url) in [("ALL_PROXY", server.url.as_str()), ("HTTPS_PROXY", "https://registry.example.com")] {
        let (code, printed, said) = run_in_any_case(url, &[ca, (variable, &address)]);
        assert_eq!((code, printed.as_str()), (77, ""), "{said}");
        let asked = format!("the proxy http://{address} of {variable} asks for a user and a password; give them, as ");
        assert!(said.contains(&asked) && !said.contains("trying again"), "{said}");
    }
    let with_password = |password: &str| format!("http://me:{password}@{address}");
    let (code, _, said) = call(&["status", "--server", &server.url], &[("HTTP_PROXY", &with_password("wr0ng"))]);
    assert!(code == 77 && said.contains("of HTTP_PROXY") && !said.contains("wr0ng"), "exit code {code}: {said}");
    let (code, printed, said) = run_in_any_case(&server.url, &[("HTTP_PROXY", &with_password("s3cret"))]);
    assert_eq!((code, printed.as_str()), (0, "started\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_down_or_none_is_named_without_its_password() {
    let down = format!("127.0.0.1:{}", free_port());
    let trusts = Authority::new();
    let ca = trusts.path("ca.pem");
    for (url, variable) in [("http://localhost", "http_proxy"), ("https://localhost", "HTTPS_PROXY")] {
        let proxy = format!("http://me:s3cret@{down}");
        let (code, _, said) = call(&["status", "--server", url], &[(variable, &proxy), ("SSL_CERT_FILE", &ca)]);
        let named = format!("the proxy http://me:***@{down} of {variable} cannot be reached: Connection refused");
        assert!(code == 69 && said.contains(&named), "exit code {code}: {said}");
    }
    for (value, words) in [
        ("socks5://me:s3cret@127.0.0.1:1080", "ALL_PROXY names a proxy of the scheme socks5"),
        ("http://me:s3cret@127.0.0.1:port", "ALL_PROXY is not the URL of a proxy"),
    ] {
        let (code, _, said) = call(&["status"], &[("ALL_PROXY", value)]);
        assert!(code == 78 && said.contains(words) && !said.contains("s3cret"), "exit code {code}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_takes_a_registry_out_by_a_star_an_address_or_a_name() {
    let (server, _database) = serve().await;
    let down = format!("http://127.0.0.1:{}", free_port());
    let with_port = format!("127.0.0.1:{}", server.port());
    for exceptions in [
        &[("NO_PROXY", "*")][..],
        &[("NO_PROXY", "127.0.0.1")],
        &[("no_proxy", "example.com, 127.0.0.0/8")],
        &[("NO_PROXY", &with_port)],
        &[("NO_PROXY", ""), ("no_proxy", "127.0.0.1")],
    ] {
        let variables = [&[("ALL_PROXY", down.as_str())], exceptions].concat();
        let (code, printed, said) = call(&["status", "--server", &server.url], &variables);
        assert_eq!((code, printed.as_str()), (0, "Nothing is running.\n"), "{exceptions:?}: {said}");
    }
}
