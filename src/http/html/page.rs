//! What the pages have in common.

use askama::Template;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use crate::domain::execution::{Execution, Status};
use crate::domain::link::is_web_link;
use crate::present::execution::remark;
use crate::present::time::duration_text;

/// Nothing on a page comes from elsewhere, and nothing in it is executed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub fn render(page: &impl Template) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    match page.render() {
        Ok(html) => (headers, Html(html)).into_response(),
        Err(error) => {
            tracing::error!("a page could not be rendered: {error}");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// An execution as a row of a table.
pub struct Row {
    pub run_id: i64,
    pub test: String,
    pub kind: String,
    pub repo: String,
    pub lac: String,
    pub stream: String,
    pub environment: String,
    pub triggered_by: String,
    pub status: &'static str,
    /// What the status alone does not say: a missed heartbeat, a request to stop, why it ended.
    pub remark: Option<String>,
    pub start: Time,
    pub end: Option<Time>,
    pub duration: String,
    pub factor: Option<String>,
    pub location: Option<String>,
    pub dashboard_url: Option<String>,
}

impl Row {
    pub fn new(execution: &Execution, now: Timestamp) -> Self {
        let details = &execution.details;
        let is_over_without_end = matches!(execution.status, Status::Ended(_)) && execution.end_time.is_none();
        let duration = execution.end_time.unwrap_or(now).duration_since(execution.start_time);
        Self {
            run_id: execution.run_id.0,
            test: details.test.clone(),
            kind: details.kind.clone(),
            repo: details.repo.clone(),
            lac: details.lac.clone(),
            stream: details.stream.clone(),
            environment: details.environment.clone(),
            triggered_by: details.triggered_by.clone(),
            status: execution.status.as_str(),
            remark: remark(execution, now),
            start: Time::new(execution.start_time),
            end: execution.end_time.map(Time::new),
            duration: if is_over_without_end { "unknown".to_owned() } else { duration_text(duration) },
            factor: execution.factor_text(),
            location: details.location.as_ref().map(ToString::to_string),
            // An adopted database may hold links that this version would have refused.
            dashboard_url: details.dashboard_url.clone().filter(|link| is_web_link(link)),
        }
    }
}

/// A time for a `<time>` element; the page's script adds the reader's local time as a tooltip.
pub struct Time {
    pub exact: String,
    pub shown: String,
}

impl Time {
    pub fn new(time: Timestamp) -> Self {
        Self { exact: time.to_string(), shown: time.strftime("%Y-%m-%d %H:%M:%S").to_string() }
    }
}
