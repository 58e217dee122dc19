//! Runs on a terminal.

use jiff::{SignedDuration, Timestamp};

use super::duration::relative;
use super::table::{Column, table};
use crate::present::time::duration_text;
use crate::wire::decimal::Decimal;
use crate::wire::execution::{Execution, ExecutionStatus};

/// What ran, a line each.
pub fn runs_table(executions: &[Execution], now: Timestamp, width: Option<usize>) -> String {
    let columns = [
        Column::number("RUN"),
        Column::whole("STATUS"),
        Column::text("TEST").unless_narrow(4),
        Column::text("REPO").unless_narrow(1),
        Column::kept("LOCATION"),
        Column::number("FACTOR").if_wide(),
        Column::text("BY").unless_narrow(2),
        Column::whole("STARTED").unless_narrow(3),
        Column::whole("DURATION"),
        Column::text("TYPE").if_wide(),
        Column::text("ENVIRONMENT").if_wide(),
        Column::text("STREAM").if_wide(),
    ];
    let row = |execution: &Execution| {
        [
            execution.run_id.to_string(),
            status(execution),
            execution.test.clone(),
            execution.repo.clone(),
            execution.location.clone().unwrap_or_else(|| "-".to_owned()),
            factor(execution.factor.as_ref()),
            execution.triggered_by.clone(),
            relative(execution.start_time, now),
            duration(execution, now),
            execution.r#type.clone(),
            execution.environment.clone(),
            execution.stream.clone(),
        ]
    };
    table(columns, executions.iter().map(row).collect(), width)
}

pub fn factor(factor: Option<&Decimal>) -> String {
    factor.map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// The status, or what says more than it.
pub fn status(execution: &Execution) -> String {
    match execution.status {
        ExecutionStatus::Queued if execution.suspect => "silent".to_owned(),
        ExecutionStatus::Running if execution.stop.is_some() => "stopping".to_owned(),
        ExecutionStatus::Running if execution.suspect => "suspect".to_owned(),
        ExecutionStatus::Running if execution.overdue => "overdue".to_owned(),
        status => status.to_string(),
    }
}

/// For how long it ran, or runs, or waits.
pub fn duration(execution: &Execution, now: Timestamp) -> String {
    let is_over = !matches!(execution.status, ExecutionStatus::Queued | ExecutionStatus::Running);
    match execution.end_time {
        None if is_over => "?".to_owned(),
        end => duration_text(end.unwrap_or(now).duration_since(execution.start_time).max(SignedDuration::ZERO)),
    }
}
