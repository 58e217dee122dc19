//! What it means to cancel a run, in words: the same wish has other ends with a lease and without one.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::time::duration_text;
use crate::domain::execution::{Execution, Status};
use crate::domain::link::is_web_link;

/// More links than that nobody follows.
const MOST_LINKS: usize = 8;

/// What becomes of a run that is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopEffect {
    /// It waits, and leaves the queue.
    LeavesQueue,
    /// It has a lease, and its runner is asked to end the load.
    IsAsked,
    /// It was asked before; asking again changes nothing.
    WasAsked,
    /// It has no lease, and gives back its share, whatever its load does.
    GivesBackShare,
}

impl StopEffect {
    /// Nothing for a run that has ended.
    #[must_use]
    pub fn of(execution: &Execution) -> Option<Self> {
        match execution.status {
            Status::Ended(_) => None,
            Status::Running if !execution.has_to_stop_first() => {
                Some(if execution.is_untold() { Self::LeavesQueue } else { Self::GivesBackShare })
            }
            Status::Running if execution.stop.is_some() => Some(Self::WasAsked),
            Status::Running => Some(Self::IsAsked),
            Status::Queued => Some(Self::LeavesQueue),
        }
    }

    /// The word by which a form says which of them it has shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeavesQueue => "leaves_queue",
            Self::IsAsked => "is_asked",
            Self::WasAsked => "was_asked",
            Self::GivesBackShare => "gives_back_share",
        }
    }

    /// What the name of the test stands between in the heading of the form.
    #[must_use]
    pub const fn heading(self) -> (&'static str, &'static str) {
        match self {
            Self::LeavesQueue => ("Take ", " from the queue?"),
            Self::IsAsked => ("Stop ", "?"),
            Self::WasAsked => ("", " is asked to stop"),
            Self::GivesBackShare => ("End ", " here?"),
        }
    }

    /// What the button says that does it.
    #[must_use]
    pub const fn button(self) -> &'static str {
        match self {
            Self::LeavesQueue => "Take it from the queue",
            Self::IsAsked => "Stop the load",
            Self::WasAsked | Self::GivesBackShare => "End it here",
        }
    }

    /// What the link says that leaves all as it is; nothing where there is another way back.
    #[must_use]
    pub const fn way_back(self) -> Option<&'static str> {
        match self {
            Self::LeavesQueue => Some("Let it wait"),
            Self::IsAsked | Self::GivesBackShare => Some("Let it run"),
            Self::WasAsked => None,
        }
    }

    /// What it means for this run, in a few sentences.
    #[must_use]
    pub fn explanation(self, execution: &Execution) -> String {
        let share = match execution.factor_text() {
            Some(factor) => format!("its share of {factor}"),
            None => "its place".to_owned(),
        };
        match self {
            Self::LeavesQueue if execution.is_untold() => {
                "It was admitted a moment ago, and its runner does not know yet. It gives back its share at once, and \
                 nothing of it runs."
                    .to_owned()
            }
            Self::LeavesQueue => {
                "Nothing of it runs yet. It leaves the queue at once, and its runner is told so.".to_owned()
            }
            Self::IsAsked => {
                let lease = execution.lease.as_ref().map_or(0, |lease| lease.seconds);
                let lease = duration_text(SignedDuration::from_secs(lease.into()));
                format!(
                    "Its runner is asked with its next heartbeat, within {lease}, and then ends the load. Until the runner \
                     reports that, the run keeps {share}."
                )
            }
            Self::WasAsked => format!("It keeps {share} until its runner reports that the load has ended."),
            Self::GivesBackShare => format!(
                "It has no lease, so the registry cannot ask its runner to stop. This only gives back {share}: its load may \
                 go on, beside the test that starts next. Stop the load where it was started, before you end the run here."
            ),
        }
    }
}

/// How long it has run or waited, and of how much.
#[must_use]
pub fn lasting(execution: &Execution, now: Timestamp) -> String {
    let since = |start: Timestamp| duration_text(now.duration_since(start));
    if let (Status::Queued, Some(place)) = (execution.status, &execution.place) {
        return format!("It has waited for {}", since(place.queued_at));
    }
    let expected = execution.expected_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
    let expected = expected.map(|expected| format!(" of about {}", duration_text(expected)));
    format!("It has run for {}{}", since(execution.start_time), expected.unwrap_or_default())
}

/// Where somebody finds the pipeline of a run: its dashboard, and the further fields that are links, each with its name in
/// words, such as `pipeline` for `pipeline_url`.
#[must_use]
pub fn links(execution: &Execution) -> Vec<(String, String)> {
    let details = &execution.details;
    let dashboard = details.dashboard_url.clone().map(|link| ("dashboard".to_owned(), link));
    let extra: Map<String, Value> = serde_json::from_str(&details.extra).unwrap_or_default();
    let extra = extra.into_iter().filter_map(|(name, value)| match value {
        Value::String(link) => Some((name.strip_suffix("_url").unwrap_or(&name).replace('_', " "), link)),
        _ => None,
    });
    dashboard.into_iter().chain(extra).filter(|(_, link)| is_web_link(link)).take(MOST_LINKS).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::execution::lease::TokenHash;
    use crate::domain::execution::{Details, Outcome, Registration, RunId, Stop};

    fn run(lease: Option<u32>) -> Execution {
        let lease = lease.map(|seconds| (seconds, TokenHash("x".to_owned())));
        Execution::started(&Registration { lease, ..Registration::example() }, RunId(7), Timestamp::UNIX_EPOCH, 1)
    }

    #[test]
    fn who_has_a_lease_is_asked_and_who_has_none_only_gives_back_its_share() {
        let leased = run(Some(30));
        assert_eq!(StopEffect::of(&leased), Some(StopEffect::IsAsked));
        assert!(StopEffect::IsAsked.explanation(&leased).contains("next heartbeat, within 30s"));
        let stop = Stop { reason: "x".to_owned(), by: None, at: Timestamp::UNIX_EPOCH };
        let asked = Execution { stop: Some(stop), ..leased.clone() };
        assert_eq!(StopEffect::of(&asked), Some(StopEffect::WasAsked));
        let plain = run(None);
        assert_eq!(StopEffect::of(&plain), Some(StopEffect::GivesBackShare));
        assert!(StopEffect::GivesBackShare.explanation(&plain).contains("its load may go on"));
        let ended = plain.end(Outcome::Success, None, Timestamp::UNIX_EPOCH).expect("it runs");
        assert_eq!(StopEffect::of(&ended), None);
    }

    #[test]
    fn who_waits_and_who_was_not_told_yet_leave_the_queue() {
        let registration =
            Registration { wait_seconds: 60, lease: Some((30, TokenHash("x".to_owned()))), ..Registration::example() };
        let waiter = Execution::queued(&registration, RunId(7), Timestamp::UNIX_EPOCH);
        assert_eq!(StopEffect::of(&waiter), Some(StopEffect::LeavesQueue));
        let untold = waiter.start_untold(Timestamp::UNIX_EPOCH, 1);
        assert_eq!(StopEffect::of(&untold), Some(StopEffect::LeavesQueue));
        assert!(StopEffect::LeavesQueue.explanation(&untold).contains("does not know yet"));
    }

    #[test]
    fn only_web_links_lead_to_a_pipeline() {
        let extra = r#"{"pipeline_url":"https://ci.example/7","log_of_build":"https://ci.example/7/log","note":"x","number":7,"bad":"javascript:alert(1)"}"#;
        let run = run(None);
        let details = Details {
            dashboard_url: Some("http://dashboard.example/7".to_owned()),
            extra: extra.to_owned(),
            ..Details::clone(&run.details)
        };
        let links = links(&Execution { details: Arc::new(details), ..run });
        let names: Vec<&str> = links.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["dashboard", "log of build", "pipeline"]);
    }
}
