//! The browser is no accomplice: what the pages of other sites, and pages whose name leads here, try in Chromium.

use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Html;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::window::{Window, browse};
use crate::support::database::{Engine, TestDatabase};
use crate::support::http::Http;
use crate::support::nginx::free_port;
use crate::support::server::{PATIENCE, TestServer, perfreg};

/// A registry in which one test runs, that is called by its address and by a name.
struct Target {
    http: Http,
    port: u16,
    _server: TestServer,
    _database: TestDatabase,
}

impl Target {
    async fn start() -> Self {
        let (database, port) = (TestDatabase::new(Engine::Sqlite).await, free_port());
        let mut command = perfreg();
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--database", &database.url]);
        let server = TestServer::start_with(command.args(["--allowed-host", "perf.example"]));
        let http = server.http();
        http.admit(json!({"factor": 0.5, "test": "checkout-peak"})).await;
        Self { http, port, _server: server, _database: database }
    }

    /// Chromium says of a call to an address of this machine from which site it comes, and of one over plain HTTP to a
    /// name only from which origin.
    fn urls(&self) -> [String; 2] {
        ["127.0.0.1", "perf.example"].map(|host| format!("http://{host}:{}", self.port))
    }

    async fn state(&self) -> [Value; 3] {
        let read = async |path: &str| self.http.get(path).await.json();
        [read("/executions/1").await["status"].take(), read("/registry").await, read("/locations").await]
    }

    /// How many calls were refused so far.
    async fn refused(&self) -> u64 {
        let metrics = self.http.get("/metrics").await.text;
        let counts = metrics.lines().filter(|line| {
            line.starts_with("perfreg_http_request_duration_seconds_count{") && line.contains("status=\"403\"")
        });
        counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }

    async fn wait_until_refused(&self, count: u64) {
        let give_up = Instant::now() + PATIENCE;
        while self.refused().await < count {
            assert!(Instant::now() < give_up, "{} instead of {count} calls were refused", self.refused().await);
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A page of somebody else, from whose port all its origins are made.
async fn serve_foreign_page() -> u16 {
    let page = Html("<!doctype html><title>Foreign</title><body>Foreign</body>");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let routes = Router::new().fallback(async move || page);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    port
}

/// The call as a form that another page sends.
fn submit(url: &str) -> String {
    format!(
        "{{ const form = document.createElement('form'); form.method = 'post'; form.action = '{url}/cancel?run_id=1';
            document.body.append(form); form.submit() }}"
    )
}

/// The same from a frame without an origin.
fn submit_from_a_sandbox(url: &str) -> String {
    format!(
        "{{ const frame = document.createElement('iframe'); frame.sandbox = 'allow-forms allow-scripts';
            frame.srcdoc = `<form method=post action='{url}/cancel?run_id=1'></form><script>document.forms[0].submit()</script>`;
            document.body.append(frame) }}"
    )
}

async fn fetched(window: &Window, url: &str, options: &str) -> String {
    window.text(&format!("fetch('{url}', {options}).then((answer) => answer.type, () => 'failed')")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_changes_nothing_whatever_it_sends() {
    let target = Target::start().await;
    let before = target.state().await;
    let port = serve_foreign_page().await;
    browse(async |window| {
        let mut refused = 0;
        for url in target.urls() {
            for host in ["foreign.example", "127.0.0.1", "localhost"] {
                let foreign = format!("http://{host}:{port}/");
                let cancel = format!("{url}/cancel?run_id=1");
                window.go(&foreign).await;
                let without_reading = "{method: 'POST', mode: 'no-cors'}";
                // It arrives, and Chromium keeps the answer from the page.
                assert_eq!(fetched(window, &cancel, without_reading).await, "failed", "{foreign} to {url}");
                assert!(window.holds(&format!("navigator.sendBeacon('{cancel}')")).await);
                window.evaluate(&submit_from_a_sandbox(&url)).await;
                target.wait_until_refused(refused + 3).await;
                // Chromium asks before it sends these, and is not let.
                let drain =
                    r#"{method: 'PUT', headers: {'Content-Type': 'application/json'}, body: '{"state": "stopped"}'}"#;
                assert_eq!(fetched(window, &format!("{url}/registry"), drain).await, "failed");
                assert_eq!(fetched(window, &format!("{url}/history"), "{}").await, "failed");
                window.evaluate(&submit(&url)).await;
                target.wait_until_refused(refused + 4).await;
                window.wait_for("why it was refused", "document.body.innerText.includes('page of another site')").await;
                refused += 4;
                assert_eq!(target.state().await, before, "{foreign} has changed something at {url}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn a_page_of_another_site_shows_nothing_in_a_frame_as_an_image_or_as_a_script() {
    let target = Target::start().await;
    let port = serve_foreign_page().await;
    browse(async |window| {
        for url in target.urls() {
            for path in ["/", "/docs/", "/status-html", "/status", "/no-such-path"] {
                window.go(&format!("http://foreign.example:{port}/")).await;
                let frame = format!(
                    "new Promise((loaded) => {{ const frame = document.createElement('iframe'); frame.onload = loaded;
                        frame.src = '{url}{path}'; document.body.append(frame) }}).then(() => true)"
                );
                window.evaluate(&frame).await;
                let console = window.told().await.console;
                assert!(console.iter().any(|said| said.contains("frame-ancestors")), "{url}{path}: {console:?}");
            }
            for (element, path) in [("img", "/favicon.ico"), ("script", "/status"), ("script", "/assets/zone.js")] {
                let load = format!(
                    "new Promise((told) => {{ const one = document.createElement('{element}'); one.src = '{url}{path}';
                        one.onload = () => told('loaded'); one.onerror = () => told('failed'); document.body.append(one) }})"
                );
                assert_eq!(window.text(&load).await, "failed", "{element} {url}{path}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn a_page_whose_name_leads_here_reads_and_changes_nothing() {
    let target = Target::start().await;
    let before = target.state().await;
    browse(async |window| {
        window.go(&format!("http://rebind.example:{}/", target.port)).await;
        window.wait_for("what to set", "document.body.innerText.includes('--allowed-host rebind.example')").await;
        // For Chromium these are calls of a page to its own server.
        for (path, options) in [
            ("/history", "{}"),
            ("/status-html", "{}"),
            ("/events?limit=10", "{}"),
            ("/openapi.json", "{}"),
            ("/cancel?run_id=1", "{method: 'POST'}"),
            (
                "/registry",
                r#"{method: 'PUT', headers: {'Content-Type': 'application/json'}, body: '{"state": "stopped"}'}"#,
            ),
        ] {
            let call = format!(
                "fetch('{path}', {options}).then(async (answer) => `${{answer.status}} ${{await answer.text()}}`)"
            );
            let told = window.text(&call).await;
            assert!(told.starts_with("421 ") && !told.contains("checkout-peak"), "{path}: {told}");
        }
    })
    .await;
    assert_eq!(target.state().await, before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn a_page_of_its_own_changes_what_it_is_for_by_whatever_name_it_was_opened() {
    let target = Target::start().await;
    browse(async |window| {
        for url in target.urls().into_iter().chain([format!("http://localhost:{}", target.port)]) {
            let run_id = target.http.admit(json!({"factor": 0.1})).await["run_id"].as_i64().expect("a number");
            window.go(&format!("{url}/status-html")).await;
            let cancel = format!("fetch('cancel?run_id={run_id}', {{method: 'POST'}}).then((answer) => answer.status)");
            assert_eq!(window.text(&cancel).await, "200", "{url}");
            window.go(&format!("{url}/zone")).await;
            let choose = "{ const form = document.querySelector('form[action=zone]'); form.zone.value = 'Asia/Tokyo';
                form.requestSubmit() }";
            window.evaluate(choose).await;
            window.wait_for("the zone that was chosen", "document.body.innerText.includes('Asia/Tokyo')").await;
            window.wait_for("no error", "!document.body.innerText.includes('another site')").await;
        }
    })
    .await;
}
