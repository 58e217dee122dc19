//! What a browser tells about a page: its console, and each request.

use serde_json::Value;

#[derive(Debug, Default)]
pub struct Told {
    /// Everything on the console from warnings on: errors of scripts, what could not be loaded, what the policy forbade.
    pub console: Vec<String>,
    /// The URL of each request, but for pictures of Chromium itself.
    pub requests: Vec<String>,
}

impl Told {
    /// Reads the logs as chromedriver gives them.
    pub fn new(console: &Value, performance: &Value) -> Self {
        let is_serious = |entry: &&Value| entry["level"] == "WARNING" || entry["level"] == "SEVERE";
        let console = entries(console).iter().filter(is_serious).map(message).collect();
        let requests =
            entries(performance).iter().filter_map(requested).filter(|url| !url.starts_with("data:")).collect();
        Self { console, requests }
    }
}

fn entries(log: &Value) -> &[Value] {
    log.as_array().expect("a log is a list")
}

fn message(entry: &Value) -> String {
    entry["message"].as_str().unwrap_or_default().to_owned()
}

fn requested(entry: &Value) -> Option<String> {
    let message: Value = serde_json::from_str(&message(entry)).ok()?;
    let message = &message["message"];
    let is_request = message["method"] == "Network.requestWillBeSent";
    is_request.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned)).flatten()
}
