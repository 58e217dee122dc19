//! By which names a server is called, over the wire: a page whose name leads here must read and change nothing.

use std::io::{Read, Write};
use std::net::TcpStream;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

use super::pages::serve;
use crate::support::database::{Engine, TestDatabase};
use crate::support::nginx::free_port;
use crate::support::server::{TestServer, perfreg};

/// The status and the whole answer to a request that is sent as it stands.
fn answer(port: u16, head: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{head:?}: {answer:?}")), answer)
}

/// The status of an HTTP/2 request for this target.
async fn http2_status(port: u16, target: &str, host: Option<&str>) -> u16 {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut request = Request::get(target);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let mut request = request.body(Body::empty()).expect("a request");
    // A target without a host is only taken of what comes from another protocol.
    *request.version_mut() = if target.starts_with('/') { Version::HTTP_11 } else { Version::HTTP_2 };
    let response = sender.send_request(request).await.expect("an answer");
    let status = response.status().as_u16();
    response.into_body().collect().await.expect("a whole answer");
    drop(sender);
    connection.abort();
    status
}

/// Starts a server with more flags on a port of its own, and gives that.
fn serve_with(database: &TestDatabase, address: &str, more: &[&str]) -> (TestServer, u16) {
    let port = free_port();
    let mut command = perfreg();
    command.args(["serve", "--listen", &format!("{address}:{port}"), "--database", &database.url]).args(more);
    (TestServer::start_with(&mut command), port)
}

fn status_for(port: u16, host: &str) -> u16 {
    answer(port, &format!("GET /history HTTP/1.1\r\nHost: {host}\r\n")).0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_loopback_answers_to_its_addresses_and_to_localhost_alone() {
    let (server, _database) = serve().await;
    let port = server.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        ("LOCALHOST.".to_owned(), 200),
        ("perfreg.localhost:80".to_owned(), 200),
        ("[::1]:8000".to_owned(), 200),
        ("10.0.0.7:8000".to_owned(), 200),
        (String::new(), 200),
        (format!("rebind.example:{port}"), 421),
        ("rebind.example".to_owned(), 421),
        ("localhost.rebind.example".to_owned(), 421),
        ("b\u{fc}cher.example".to_owned(), 421),
        ("me@localhost".to_owned(), 400),
        ("localhost:port".to_owned(), 400),
        ("localhost, rebind.example".to_owned(), 400),
        ("local host".to_owned(), 400),
        ("::1".to_owned(), 400),
    ] {
        assert_eq!(status_for(port, &host), status, "{host}");
        if host.is_ascii() && !host.is_empty() && !host.contains([' ', '@']) && status != 400 {
            assert_eq!(http2_status(port, &format!("http://{host}/history"), None).await, status, "{host}");
            assert_eq!(http2_status(port, "/history", Some(&host)).await, status, "{host}");
        }
    }
    let put = "PUT /registry HTTP/1.1\r\nHost: rebind.example\r\nContent-Type: application/json\r\n\
               Content-Length: 22\r\n\r\n{\"state\": \"draining\"}\r\n";
    assert_eq!(answer(port, put).0, 421);
    assert_eq!(server.http().get("/registry").await.json()["state"], "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn which_host_is_meant_is_never_guessed() {
    let (server, _database) = serve().await;
    let port = server.port();
    for (head, status) in [
        ("GET /status HTTP/1.1\r\n", 400),
        ("GET /status HTTP/1.0\r\n", 200),
        ("GET /status HTTP/1.0\r\nHost: rebind.example\r\n", 421),
        ("GET /status HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400),
        ("GET /status HTTP/1.1\r\nHost: localhost\r\nHost: rebind.example\r\n", 400),
        ("GET /status HTTP/1.0\r\nHost: localhost\r\nhost: localhost\r\n", 400),
        ("GET http://localhost/status HTTP/1.1\r\nHost: localhost\r\n", 200),
        ("GET http://localhost/status HTTP/1.1\r\n", 400),
        // RFC 9112 3.2.2: by the target alone.
        ("GET http://localhost/status HTTP/1.1\r\nHost: rebind.example\r\n", 200),
        ("GET http://rebind.example/status HTTP/1.1\r\nHost: localhost\r\n", 421),
        ("GET http://me@localhost/status HTTP/1.1\r\nHost: localhost\r\n", 400),
        ("GET /status HTTP/1.1\r\nHost: rebind.example\r\nX-Forwarded-Host: localhost\r\n", 421),
        ("GET /status HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: rebind.example\r\n", 200),
        ("GET /status HTTP/1.1\r\nHost: rebind.example\r\nForwarded: host=localhost\r\n", 421),
    ] {
        let (answered, text) = answer(port, head);
        assert_eq!(answered, status, "{head:?}: {text}");
    }
    for (target, host, status) in [
        ("http://localhost/status", Some("localhost"), 200),
        ("http://localhost/status", Some("LocalHost"), 200),
        ("http://localhost/status", Some("rebind.example"), 400),
        ("http://rebind.example/status", Some("localhost"), 400),
        ("/status", None, 400),
    ] {
        assert_eq!(http2_status(port, target, host).await, status, "{target} {host:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_whatever_they_call_the_server() {
    let (server, _database) = serve().await;
    for path in ["/healthz", "/readyz", "/metrics", "//healthz/"] {
        for head in ["Host: rebind.example\r\n", "", "Host: a\r\nHost: b\r\n", "Host: not a host\r\n"] {
            let (status, text) = answer(server.port(), &format!("GET {path} HTTP/1.1\r\n{head}"));
            assert_eq!(status, 200, "{path} {head:?}: {text}");
        }
    }
    assert_eq!(answer(server.port(), "GET /healthz/x HTTP/1.1\r\nHost: rebind.example\r\n").0, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_name_for_the_server_is_refused_sees_a_page_with_its_style_and_without_links() {
    let (server, _database) = serve().await;
    let (host, accept) = ("Host: perf-box:8000\r\n", "Accept: text/html\r\n");
    let (status, page) = answer(server.port(), &format!("GET /runs/7 HTTP/1.1\r\n{host}{accept}"));
    assert!(status == 421 && page.contains("start it with --allowed-host perf-box") && !page.contains("<a "), "{page}");
    let assets: Vec<&str> = page.split("\"../").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(assets.len(), 3, "{page}");
    for asset in assets.into_iter().chain(["favicon.ico"]) {
        let (status, text) = answer(server.port(), &format!("GET /{asset} HTTP/1.1\r\n{host}"));
        assert_eq!(status, 200, "{asset}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_name_is_told_what_to_set_and_so_is_the_log() {
    let (server, _database) = serve().await;
    let (_, text) = answer(server.port(), "GET /status HTTP/1.1\r\nHost: perf-box:8000\r\n");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let head = head.to_lowercase();
    assert!(head.contains("content-type: application/problem+json") && head.contains("x-request-id: "), "{head}");
    let problem: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(problem["type"], "urn:perfreg:problem:unknown-host");
    assert_eq!(
        problem["detail"],
        "The server does not answer to the name perf-box; call it by its address, or start it with --allowed-host \
         perf-box."
    );
    for strange in ["b\u{fc}cher.example", "a$b", &"a".repeat(300)] {
        let (status, text) = answer(server.port(), &format!("GET /status HTTP/1.1\r\nHost: {strange}\r\n"));
        assert!(status == 421 && !text.contains(strange) && text.contains("--allowed-host"), "{text}");
    }
    let log = server.log();
    assert_eq!(log.matches("a request was refused").count(), 1, "{log}");
    assert!(log.contains("host=\"perf-box\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_yesterdays_flags_go_on_working_and_the_log_says_what_to_set() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let (server, port) = serve_with(&database, "0.0.0.0", &[]);
    for host in ["perfreg", "perfreg.ci.svc:8000", "rebind.example"] {
        assert_eq!(status_for(port, host), 200, "{host}");
    }
    assert_eq!(answer(port, "GET /status HTTP/1.1\r\n").0, 400, "names it or not, HTTP/1.1 has a Host");
    let log = server.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains(" WARN ")).collect();
    assert!(warnings.len() == 2 && warnings[1].contains("--public-url or --allowed-host"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_given_are_answered_and_no_others() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let public = ["--public-url", "https://ci.example.com:8443/perfreg"];
    let (server, port) = serve_with(&database, "0.0.0.0", &public);
    for (host, status) in [
        ("ci.example.com", 200),
        ("CI.EXAMPLE.COM:8443", 200),
        ("ci.example.com:80", 200),
        ("10.0.0.7", 200),
        ("perfreg", 421),
        ("rebind.example", 421),
    ] {
        assert_eq!(status_for(port, host), status, "{host}");
    }
    assert!(!server.log().contains("every name"), "{}", server.log());
    drop(server);
    let names = ["--allowed-host", "perfreg,perfreg.ci.svc", "--allowed-host", "B\u{fc}cher.example"];
    let (_server, port) = serve_with(&database, "localhost", &[&public[..], &names].concat());
    for (host, status) in [
        ("perfreg:8000", 200),
        ("perfreg.ci.svc", 200),
        ("xn--bcher-kva.example", 200),
        ("b\u{fc}cher.example", 200),
        ("ci.example.com", 200),
        ("rebind.example", 421),
        ("ci.svc", 421),
    ] {
        assert_eq!(status_for(port, host), status, "{host}");
    }
}
