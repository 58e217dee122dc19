//! The lines with which a run begins and ends.

use std::time::Duration;

use jiff::SignedDuration;
use url::Url;

use super::ticket::Standing;
use crate::present::time::duration_text;
use crate::wire::complete::CompleteStatus;
use crate::wire::decimal::Decimal;
use crate::wire::register::RegisterRequest;

/// Where the run may start, how much of the location it takes, and where to look at it.
pub fn start_line(standing: &Standing, request: &RegisterRequest, capacity: Option<&Decimal>, server: &str) -> String {
    let run_id = standing.run_id;
    let share = request.factor.as_deref().map_or_else(String::new, |factor| match capacity {
        Some(capacity) => format!(" ({factor} of {capacity})"),
        None => format!(" ({factor})"),
    });
    let place = request.location.as_deref().map_or_else(String::new, |location| format!(" at {location}{share}"));
    let page = standing.page_url.clone().or_else(|| page_of(run_id, server).map(String::from));
    format!("run {run_id} may start{place}{}", page.map_or_else(String::new, |url| format!(": {url}")))
}

/// The page of a run, below the path of the server, and without a password.
fn page_of(run_id: i64, server: &str) -> Option<Url> {
    let mut url = Url::parse(server).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut().ok()?.pop_if_empty().extend(["runs", &run_id.to_string()]);
    Some(url)
}

/// Why the load was made to end.
#[derive(Clone, PartialEq, Eq)]
pub enum Cause {
    Stopped(String),
    Lost,
}

/// How a run ended.
pub struct End<'a> {
    pub status: CompleteStatus,
    pub code: u8,
    pub after: Duration,
    pub cause: Option<&'a Cause>,
    pub is_interrupted: bool,
}

/// `name` is what ended, such as "run 7".
pub fn end_line(name: &str, end: &End) -> String {
    let after = duration_text(SignedDuration::try_from(end.after).unwrap_or_default());
    let exit = format!("exit code {}", end.code);
    let (word, why) = match (end.cause, end.status) {
        (Some(Cause::Lost), _) => ("stopped", Some("the registry had given it up".to_owned())),
        (Some(Cause::Stopped(reason)), _) => ("cancelled", Some(format!("stopped: {reason}"))),
        (None, CompleteStatus::Success) => ("success", None),
        (None, CompleteStatus::Cancelled) if end.is_interrupted => ("cancelled", Some(format!("interrupted, {exit}"))),
        (None, CompleteStatus::Cancelled) => ("cancelled", Some(exit)),
        (None, _) => ("failure", Some(exit)),
    };
    format!("{name}: {word} after {after}{}", why.map_or_else(String::new, |why| format!(" ({why})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        serde_json::from_str(r#"{"run_id": 7, "status": "running"}"#).expect("what the registry says")
    }

    #[test]
    fn the_first_line_says_where_it_runs_and_where_to_look() {
        let one = Decimal::new("1".to_owned());
        for (location, factor, capacity, server, expected) in [
            (
                Some("k8s"),
                Some("0.5"),
                Some(&one),
                "http://h:1",
                "run 7 may start at k8s (0.5 of 1): http://h:1/runs/7",
            ),
            (Some("k8s"), Some("0.5"), None, "http://h:1/", "run 7 may start at k8s (0.5): http://h:1/runs/7"),
            (Some("k8s"), None, Some(&one), "http://h", "run 7 may start at k8s: http://h/runs/7"),
            (None, Some("0.5"), None, "http://h", "run 7 may start: http://h/runs/7"),
            (None, None, None, "https://u:p@h/perfreg/?a#b", "run 7 may start: https://h/perfreg/runs/7"),
        ] {
            assert_eq!(
                start_line(&standing(), &RegisterRequest::example(location, factor), capacity, server),
                expected
            );
        }
    }

    #[test]
    fn a_server_that_knows_its_public_url_says_where_to_look() {
        let text = r#"{"run_id": 7, "status": "running", "page_url": "https://ci.example.com/perfreg/runs/7"}"#;
        let standing: Standing = serde_json::from_str(text).expect("what the registry says");
        let line = start_line(&standing, &RegisterRequest::example(None, None), None, "http://10.0.0.1:8000");
        assert_eq!(line, "run 7 may start: https://ci.example.com/perfreg/runs/7");
    }

    #[test]
    fn the_last_line_says_how_it_ended_and_why() {
        let stopped = Cause::Stopped("the wrong build".to_owned());
        for (status, code, cause, is_interrupted, expected) in [
            (CompleteStatus::Success, 0, None, false, "run 7: success after 5m 3s"),
            (CompleteStatus::Failure, 99, None, false, "run 7: failure after 5m 3s (exit code 99)"),
            (CompleteStatus::Cancelled, 105, None, true, "run 7: cancelled after 5m 3s (interrupted, exit code 105)"),
            (
                CompleteStatus::Cancelled,
                79,
                Some(&stopped),
                true,
                "run 7: cancelled after 5m 3s (stopped: the wrong build)",
            ),
            (
                CompleteStatus::Cancelled,
                80,
                Some(&Cause::Lost),
                false,
                "run 7: stopped after 5m 3s (the registry had given it up)",
            ),
        ] {
            let end = End { status, code, after: Duration::from_secs(303), cause, is_interrupted };
            assert_eq!(end_line("run 7", &end), expected);
        }
    }
}
