//! What became of a test, for those who count and log it.

use std::sync::Arc;

use jiff::SignedDuration;

use super::event::{Event, EventKind, Fact};
use super::execution::{Details, EndReason, Execution, RunId, Status};

/// A start out of the queue, a request to stop, or an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    pub run_id: RunId,
    pub details: Arc<Details>,
    pub kind: ActivityKind,
    /// Who asked for the stop or the end, and why, as far as the request said it.
    pub asked_by: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityKind {
    /// The turn of a waiter came.
    Started {
        waited: SignedDuration,
    },
    StopRequested,
    Ended {
        status: Status,
        reason: Option<EndReason>,
        /// How long it ran, if it had started.
        ran: Option<SignedDuration>,
        /// How long after the request to stop its runner said that it has ended.
        stop_acknowledged_after: Option<SignedDuration>,
    },
}

impl Activity {
    /// What the event says of the execution as it is after it, if that is counted or logged. A start without waiting is
    /// known from the answer to the registration.
    #[must_use]
    pub fn of(event: &Event, run: &Execution) -> Option<Self> {
        let kind = match event.kind {
            EventKind::Started => {
                let queued_at = run.place.as_ref()?.queued_at;
                ActivityKind::Started { waited: run.start_time.duration_since(queued_at).max(SignedDuration::ZERO) }
            }
            EventKind::StopRequested => ActivityKind::StopRequested,
            EventKind::Ended => Self::end(run)?,
            _ => return None,
        };
        // The event of a start says whose test it is, which the details do as well.
        let asked_by = event.by.clone().filter(|_| event.kind != EventKind::Started);
        let reason = event.facts.iter().find_map(|(name, fact)| match fact {
            Fact::Text(reason) if *name == "reason" => Some(reason.clone()),
            _ => None,
        });
        Some(Self { run_id: run.run_id, details: Arc::clone(&run.details), kind, asked_by, reason })
    }

    fn end(run: &Execution) -> Option<ActivityKind> {
        let end_time = run.end_time?;
        let stop = run.stop.as_ref().filter(|_| run.end_reason.is_none() && run.lease.is_some());
        Some(ActivityKind::Ended {
            status: run.status,
            reason: run.end_reason,
            ran: run.has_started().then(|| end_time.duration_since(run.start_time)),
            stop_acknowledged_after: stop.map(|stop| end_time.duration_since(stop.at).max(SignedDuration::ZERO)),
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::execution::lease::{Lease, TokenHash};
    use crate::domain::execution::{Outcome, Registration, Stop};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn waiter() -> Execution {
        Execution::queued(&Registration { wait_seconds: 600, ..Registration::example() }, RunId(1), at(100))
    }

    fn kind(event: EventKind, run: &Execution) -> Option<ActivityKind> {
        Activity::of(&Event::new(event, Some(run.run_id), None, Vec::new()), run).map(|activity| activity.kind)
    }

    #[test]
    fn a_start_out_of_the_queue_says_how_long_it_waited_and_one_without_waiting_is_none() {
        let started = waiter().start_untold(at(130), 1);
        let waited = ActivityKind::Started { waited: SignedDuration::from_secs(30) };
        assert_eq!(kind(EventKind::Started, &started), Some(waited));
        let at_once = Execution::started(&Registration::example(), RunId(2), at(100), 1);
        assert_eq!(kind(EventKind::Started, &at_once), None);
        assert_eq!(kind(EventKind::Suspect, &started), None);
    }

    #[test]
    fn an_end_says_how_long_it_ran_unless_it_only_waited() {
        let ended = |run: Execution, reason| run.end(Outcome::Cancelled, reason, at(190)).expect("it had not ended");
        let told = |ran, reason| {
            let status = Status::Ended(Outcome::Cancelled);
            Some(ActivityKind::Ended { status, reason, ran, stop_acknowledged_after: None })
        };
        let ran = Some(SignedDuration::from_secs(60));
        let started = waiter().start_untold(at(130), 1);
        assert_eq!(kind(EventKind::Ended, &ended(started, None)), told(ran, None));
        let reason = Some(EndReason::WaitTimeout);
        assert_eq!(kind(EventKind::Ended, &ended(waiter(), reason)), told(None, reason));
    }

    #[test]
    fn an_end_and_a_request_to_stop_say_who_asked_and_why() {
        let run = waiter().start_untold(at(130), 1);
        let ended = run.end(Outcome::Cancelled, None, at(190)).expect("it had not ended");
        for (kind, run, asked_by) in [
            (EventKind::StopRequested, &run, Some("ops")),
            (EventKind::Ended, &ended, Some("ops")),
            (EventKind::Started, &run, None),
        ] {
            let facts = vec![("reason", Fact::Text("upgrade".to_owned()))];
            let event = Event::new(kind, Some(run.run_id), Some("ops".to_owned()), facts);
            let activity = Activity::of(&event, run).expect("it is logged");
            assert_eq!((activity.asked_by.as_deref(), activity.reason.as_deref()), (asked_by, Some("upgrade")));
        }
    }

    #[test]
    fn only_a_runner_that_says_so_has_acknowledged_a_stop() {
        let stop = Some(Stop { reason: String::new(), by: None, at: at(150) });
        let lease = Some(Lease::new(60, TokenHash(String::new())));
        let run = Execution { lease, stop, ..waiter().start_untold(at(130), 1) };
        for (reason, after) in [(None, Some(SignedDuration::from_secs(40))), (Some(EndReason::Lost), None)] {
            let ended = run.end(Outcome::Failure, reason, at(190)).expect("it had not ended");
            let Some(ActivityKind::Ended { stop_acknowledged_after, .. }) = kind(EventKind::Ended, &ended) else {
                panic!("an end");
            };
            assert_eq!(stop_acknowledged_after, after, "{reason:?}");
        }
    }
}
