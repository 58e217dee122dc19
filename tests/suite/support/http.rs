//! Requests as a client in the field sends them, with everything that came back.

use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

#[derive(Clone)]
pub struct Http {
    url: String,
    client: Client,
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Http {
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), client: Client::builder().no_proxy().build().expect("a client") }
    }

    /// Sends a request; an error means that there was no answer, so nobody knows what happened.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Result<Reply> {
        self.try_send_with(method, path, &[("content-type", content_type)], body).await
    }

    /// As [`Self::try_send`], with these headers.
    pub async fn try_send_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Result<Reply> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Reply { status, headers, text: response.text().await? })
    }

    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Reply {
        self.try_send(method, path, "application/json", body.to_string()).await.expect("an answer")
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, body).await
    }

    pub async fn post_text(&self, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        self.try_send(Method::POST, path, "application/json", body).await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> Reply {
        let response = self.client.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Reply { status, headers, text: response.text().await.expect("the whole answer") }
    }

    /// Asks as a browser does.
    pub async fn page(&self, path: &str) -> Reply {
        let accepted = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        self.try_send_with(Method::GET, path, &[accepted], "").await.expect("an answer")
    }

    /// One request with these headers; a redirect is not followed.
    pub async fn step(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client");
        let stepwise = Self { url: self.url.clone(), client };
        stepwise.try_send_with(method, path, headers, body.to_owned()).await.expect("an answer")
    }

    /// Registers the example with these changes and expects it to be admitted.
    pub async fn admit(&self, changes: Value) -> Value {
        let reply = self.post("/register", &example(changes)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }
}

/// The original's example request, with some fields set otherwise; null removes one.
pub fn example(changes: Value) -> Value {
    let mut request = json!({
        "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance",
        "environment": "prod", "triggered_by": "user1", "factor": 0.5,
        "dashboard_url": "https://dashboard.example.com/run/123", "location": "azure-k8s",
    });
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        request[name] = value;
    }
    request
}
