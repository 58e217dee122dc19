//! A client as one should be: it gives up on a silent answer, and asks again with the same key.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

/// After this an answer is taken for lost.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(300);

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
}

pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Client {
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client without TLS needs nothing");
        Self { http, url: url.to_owned() }
    }

    /// Asks until there is an answer that is no 5xx. Whoever does not want to wait that long drops it.
    pub async fn ask(&self, path: &str, body: &Value) -> Answer {
        let key = Uuid::new_v4().to_string();
        loop {
            let request = self.http.post(format!("{}{path}", self.url)).header("Idempotency-Key", &key).json(body);
            if let Ok(response) = request.send().await {
                let status = response.status();
                if !status.is_server_error()
                    && let Ok(body) = response.json().await
                {
                    return Answer { status: status.as_u16(), body };
                }
            }
            sleep(PAUSE).await;
        }
    }
}

/// A registration that asks for a lease, and takes next to nothing of the location.
pub fn registration(location: &str, lease_seconds: u32) -> Value {
    json!({
        "repo": "cluster", "lac": "lac1", "stream": "main", "test": "load", "type": "performance",
        "environment": "cluster", "triggered_by": "cluster/run", "factor": "0.000001", "location": location,
        "lease_seconds": lease_seconds,
    })
}
