//! What a browser tells about a page: its console, and each request.

use serde_json::Value;
use thirtyfour::BrowserLogEntry;

#[derive(Debug, Default)]
pub struct Told {
    /// Everything on the console from warnings on: errors of scripts, what could not be loaded, what the policy forbade.
    pub console: Vec<String>,
    /// The URL of each request, but for pictures of Chromium itself.
    pub requests: Vec<String>,
}

impl Told {
    pub fn new(console: &[BrowserLogEntry], performance: &[BrowserLogEntry]) -> Self {
        let is_serious = |entry: &&BrowserLogEntry| ["WARNING", "SEVERE"].contains(&entry.level.as_str());
        let console = console.iter().filter(is_serious).map(|entry| entry.message.clone()).collect();
        let requests = performance.iter().filter_map(requested).filter(|url| !url.starts_with("data:")).collect();
        Self { console, requests }
    }
}

fn requested(entry: &BrowserLogEntry) -> Option<String> {
    let message: Value = serde_json::from_str(&entry.message).ok()?;
    let message = &message["message"];
    let is_request = message["method"] == "Network.requestWillBeSent";
    is_request.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned)).flatten()
}
