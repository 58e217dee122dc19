//! A window of Chromium, and what a person does and sees in it.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fantoccini::{Client, ClientBuilder};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

use super::driver;
use super::extension::Extension;
use super::told::Told;
use crate::support::server::PATIENCE;

/// Each has several processes of its own, which would slow each other down.
const MOST_BROWSERS: usize = 2;
const LONGEST_TEST: Duration = Duration::from_mins(10);
const HEIGHT: u32 = 900;
const FLAGS: [&str; 12] = [
    "--headless=new",
    // Chromium refuses to run as root with it, and containers often forbid what it needs.
    "--no-sandbox",
    // It is small in a container.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-proxy-server",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    // Names as a stranger would have them, which lead here.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
    // The browser ends when chromedriver does.
    "--remote-debugging-pipe",
];

/// What the reader's machine asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub const BOTH: [Self; 2] = [Self::Light, Self::Dark];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

pub struct Window {
    driver: Client,
    _turn: SemaphorePermit<'static>,
}

/// Does this in a browser of its own. A test that fails leaves a picture of what was seen last.
pub async fn browse<T>(test: impl AsyncFnOnce(&Window) -> T) -> T {
    let window = Window::open().await;
    let ended = AssertUnwindSafe(timeout(LONGEST_TEST, test(&window))).catch_unwind().await;
    if !matches!(ended, Ok(Ok(_))) {
        window.keep_picture().await;
    }
    let closed = timeout(PATIENCE, window.driver.clone().close()).await;
    match ended {
        Err(panic) => resume_unwind(panic),
        Ok(Err(_)) => panic!("the test in the browser has not ended after {LONGEST_TEST:?}"),
        Ok(Ok(value)) => {
            closed.expect("Chromium closes within 30 s").expect("Chromium closes");
            value
        }
    }
}

impl Window {
    async fn open() -> Self {
        static TURNS: Semaphore = Semaphore::const_new(MOST_BROWSERS);
        let turn = TURNS.acquire().await.expect("never closed");
        let mut driver = ClientBuilder::new(HttpConnector::new());
        driver.capabilities(capabilities());
        let driver =
            timeout(PATIENCE * 2, driver.connect(driver::url())).await.expect("Chromium starts within a minute");
        let window = Self { driver: driver.expect("Chromium starts"), _turn: turn };
        // Pages are looked at as they are sent, not as they were kept.
        window.command("Network.enable", json!({})).await;
        window.command("Page.enable", json!({})).await;
        window
    }

    /// Sends a command of the Chrome DevTools Protocol.
    pub async fn command(&self, name: &str, parameters: Value) -> Value {
        let answer = timeout(PATIENCE * 2, self.driver.issue_cmd(Extension::command(name, &parameters))).await;
        let answer = answer.unwrap_or_else(|_| panic!("Chromium does not answer {name} within a minute"));
        answer.unwrap_or_else(|error| panic!("Chromium refuses {name}: {error}"))
    }

    /// The value of an expression, a promise's once it is kept. No policy of the page stops it.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.command("Runtime.evaluate", parameters).await;
        if let Some(exception) = answer.get("exceptionDetails") {
            let begin: String = expression.chars().take(200).collect();
            panic!("the page throws {exception} at {begin}");
        }
        answer["result"]["value"].clone()
    }

    pub async fn text(&self, expression: &str) -> String {
        let value = self.evaluate(expression).await;
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    pub async fn number(&self, expression: &str) -> f64 {
        let value = self.evaluate(expression).await;
        value.as_f64().unwrap_or_else(|| panic!("{expression} is {value}, which is no number"))
    }

    pub async fn holds(&self, expression: &str) -> bool {
        self.evaluate(&format!("Boolean({expression})")).await == true
    }

    /// Waits until an expression is true; `what` says in words what that means.
    pub async fn wait_for(&self, what: &str, expression: &str) {
        self.wait_within(PATIENCE, what, expression).await;
    }

    pub async fn wait_within(&self, patience: Duration, what: &str, expression: &str) {
        let give_up = Instant::now() + patience;
        while !self.holds(expression).await {
            if Instant::now() > give_up {
                let seen = self.text("document.body.innerText.slice(0, 2000)").await;
                panic!("waited {patience:?} and never saw: {what}. The page says:\n{seen}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The width in pixels of CSS.
    pub async fn resize(&self, width: u32) {
        let size = json!({"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", size).await;
    }

    pub async fn prefer(&self, scheme: Scheme) {
        self.emulate("", &[("prefers-color-scheme", scheme.as_str())]).await;
    }

    /// `medium` is "print", or empty for a screen.
    pub async fn emulate(&self, medium: &str, features: &[(&str, &str)]) {
        let features: Vec<Value> = features.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        self.command("Emulation.setEmulatedMedia", json!({"media": medium, "features": features})).await;
    }

    pub async fn allow_script(&self, is_allowed: bool) {
        self.command("Emulation.setScriptExecutionDisabled", json!({"value": !is_allowed})).await;
    }

    /// Opens a page, and waits until it and what it needs are there. What was told before is forgotten.
    pub async fn go(&self, url: &str) {
        self.told().await;
        let went = timeout(PATIENCE, self.driver.goto(url)).await;
        went.unwrap_or_else(|_| panic!("{url} is not there after {PATIENCE:?}")).expect("a page");
    }

    /// What the console said and what was asked for since the last time.
    pub async fn told(&self) -> Told {
        let console = self.driver.issue_cmd(Extension::log("browser")).await.expect("a log of the console");
        let performance = self.driver.issue_cmd(Extension::log("performance")).await.expect("a log of requests");
        Told::new(&console, &performance)
    }

    /// Presses a key once, named as in `KeyboardEvent.key`.
    pub async fn press(&self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            other => panic!("nobody has said which number the key {other} has"),
        };
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.command("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Moves the pointer to a place in the window.
    pub async fn point_at(&self, x: f64, y: f64) {
        self.command("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": x, "y": y})).await;
    }

    /// Opens another tab and turns to it; the others are hidden.
    pub async fn new_tab(&self) {
        let tab = self.driver.new_window(true).await.expect("a new tab");
        self.driver.switch_to_window(tab.handle).await.expect("it is there");
    }

    /// Turns to the tab that was opened as that one, from 0.
    pub async fn turn_to(&self, number: usize) {
        let tabs = self.driver.windows().await.expect("tabs");
        self.driver.switch_to_window(tabs[number].clone()).await.expect("it is there");
        self.command("Page.bringToFront", json!({})).await;
    }

    /// The whole page as a PNG.
    pub async fn picture(&self) -> Vec<u8> {
        let whole = json!({"format": "png", "captureBeyondViewport": true, "optimizeForSpeed": false});
        let answer = self.command("Page.captureScreenshot", whole).await;
        BASE64_STANDARD.decode(answer["data"].as_str().expect("a picture")).expect("base64")
    }

    /// What a printer would be given, as a PDF.
    pub async fn printed(&self) -> Vec<u8> {
        let answer = self.command("Page.printToPDF", json!({"preferCSSPageSize": true})).await;
        BASE64_STANDARD.decode(answer["data"].as_str().expect("a document")).expect("base64")
    }

    async fn keep_picture(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browser");
        let test = thread::current().name().unwrap_or("test").replace("::", "-");
        let file = folder.join(format!("{test}.png"));
        let taken = AssertUnwindSafe(timeout(PATIENCE, self.picture())).catch_unwind().await;
        let kept = taken.is_ok_and(|taken| {
            taken.is_ok_and(|picture| fs::create_dir_all(&folder).and_then(|()| fs::write(&file, picture)).is_ok())
        });
        if kept {
            eprintln!("what was seen last is in {}", file.display());
        }
    }
}

fn capabilities() -> Map<String, Value> {
    let capabilities = json!({
        "browserName": "chrome",
        "goog:chromeOptions": {"args": FLAGS},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    });
    let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
    capabilities
}
