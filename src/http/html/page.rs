//! What the pages have in common.

use askama::Template;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};

use crate::domain::execution::{EndReason, Execution, Status};
use crate::domain::link::is_web_link;

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

fn remark(execution: &Execution, now: Timestamp) -> Option<String> {
    match (execution.status, &execution.stop, execution.end_reason) {
        (Status::Running, _, _) if execution.is_suspect() => Some("no heartbeat".to_owned()),
        (Status::Running, _, _) if execution.is_overdue(now) => Some("overdue".to_owned()),
        (Status::Running, Some(stop), _) => Some(format!("asked to stop: {}", stop.reason)),
        (Status::Ended(_), _, Some(EndReason::WaitTimeout)) => Some("waited too long".to_owned()),
        (Status::Ended(_), _, Some(EndReason::NotHeard | EndReason::Lost)) => Some("its runner went silent".to_owned()),
        (Status::Ended(_), _, Some(EndReason::CannotFit)) => Some("cannot fit any more".to_owned()),
        _ => None,
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

/// The two largest units, as people say it: `1 h 5 min`, `42 s`.
pub fn duration_text(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_their_two_largest_units() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3_599, "59 min 59 s"),
            (3_660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(duration_text(SignedDuration::from_secs(seconds)), text);
        }
    }
}
