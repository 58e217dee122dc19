//! A run.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::domain::execution::{EndReason, Execution, Outcome, Status, Stop};
use crate::wire;
use crate::wire::decimal::Decimal;
use crate::wire::execution::ExecutionStatus;

/// As it looks at that time, which only decides whether it is overdue.
#[must_use]
pub fn to_wire(execution: &Execution, now: Timestamp) -> wire::execution::Execution {
    into_wire(execution.clone(), now)
}

/// As [`to_wire`]. No text is copied, unless others have it as well.
#[must_use]
pub fn into_wire(execution: Execution, now: Timestamp) -> wire::execution::Execution {
    let (factor, overdue) = (factor_to_wire(&execution), execution.is_overdue(now));
    let (suspect, lease_expires_at) = (execution.is_suspect(), execution.suspect_at());
    let details = Arc::unwrap_or_clone(execution.details);
    wire::execution::Execution {
        id: execution.id,
        run_id: execution.run_id.0,
        repo: details.repo,
        lac: details.lac,
        stream: details.stream,
        test: details.test,
        r#type: details.kind,
        environment: details.environment,
        triggered_by: details.triggered_by,
        status: status_to_wire(execution.status),
        start_time: execution.start_time,
        end_time: execution.end_time,
        factor,
        dashboard_url: details.dashboard_url,
        location: details.location.map(|location| location.to_string()),
        priority: execution.priority.get(),
        queued_at: execution.place.as_ref().map(|place| place.queued_at),
        wait_until: execution.place.as_ref().map(|place| place.until),
        lease_seconds: execution.lease.as_ref().map(|lease| lease.seconds).filter(|seconds| *seconds > 0),
        lease_expires_at,
        suspect,
        fence: execution.fence,
        stop: execution.stop.map(stop_to_wire),
        end_reason: execution.end_reason.map(|reason| reason.as_str().to_owned()),
        expected_seconds: execution.expected_seconds,
        overdue,
        version: execution.version,
        extra: RawValue::from_string(details.extra).unwrap_or_default(),
    }
}

/// The factor as it was recorded, to the last digit.
#[must_use]
pub fn factor_to_wire(execution: &Execution) -> Option<Decimal> {
    execution.factor_text().map(Decimal::new)
}

#[must_use]
pub fn stop_to_wire(stop: Stop) -> wire::execution::Stop {
    wire::execution::Stop { reason: stop.reason, by: stop.by, at: stop.at }
}

#[must_use]
pub const fn status_to_wire(status: Status) -> ExecutionStatus {
    match status {
        Status::Queued => ExecutionStatus::Queued,
        Status::Running => ExecutionStatus::Running,
        Status::Ended(Outcome::Success) => ExecutionStatus::Success,
        Status::Ended(Outcome::Failure) => ExecutionStatus::Failure,
        Status::Ended(Outcome::Cancelled) => ExecutionStatus::Cancelled,
    }
}

/// What the status alone does not say: a missed heartbeat, a request to stop, why it ended.
#[must_use]
pub fn remark(execution: &Execution, now: Timestamp) -> Option<String> {
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

/// Why a command comes too late for this run, or too early: the type of the problem, and a sentence.
#[must_use]
pub fn why_not(execution: &Execution) -> (&'static str, String) {
    let (run_id, status) = (execution.run_id, execution.status);
    let when = execution.end_time.map(|time| format!(" at {time:.0}")).unwrap_or_default();
    match (status, execution.end_reason) {
        (Status::Queued, _) => ("not-started", format!("Test {run_id} still waits; it can only be cancelled.")),
        (_, Some(EndReason::Lost)) => (
            "lost",
            format!("Test {run_id} was declared lost{when}, since no heartbeat came; others may use its share now."),
        ),
        (_, Some(EndReason::WaitTimeout)) => {
            ("already-ended", format!("Test {run_id} waited as long as it wanted to, and gave up{when}."))
        }
        (_, Some(EndReason::NotHeard)) => {
            ("already-ended", format!("Test {run_id} lost its place in the queue{when}, since no heartbeat came."))
        }
        (_, Some(EndReason::CannotFit)) => {
            ("already-ended", format!("Test {run_id} no longer waits, since it cannot fit the capacity set{when}."))
        }
        (_, None) => ("already-ended", format!("Test {run_id} already ended as {status}{when}; that stays.")),
    }
}
