//! `POST /cancel`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::complete::CompleteResponse;
use super::decimal::Decimal;

/// Cancels one test, by its run_id.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CancelRequest {
    /// A number, or its text; it may stand in the query instead.
    #[schema(value_type = super::register::WholeNumberOrText, required = false)]
    pub run_id: i64,
    /// Told to the test that is asked to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, example = "the wrong build")]
    pub reason: Option<String>,
    /// Who cancels it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, example = "ana")]
    pub by: Option<String>,
    /// Ends a test with a lease at once, instead of asking it to stop.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// Cancels everything that started at a location before some time, instead of one `run_id`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct CancelBeforeRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "azure-k8s")]
    pub location: Option<String>,
    /// The runs that name no location, instead of a location.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_location: bool,
    /// RFC 3339, or a date, which begins at midnight UTC.
    #[schema(required = false, example = "2026-11-22T14:03:00Z")]
    pub started_before: String,
    /// Only tells what would be ended or asked to stop.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Told to the tests that are asked to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, example = "left over from before the move")]
    pub reason: Option<String>,
    /// Who cancels them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, example = "ana")]
    pub by: Option<String>,
}

/// One test, or all that started before some time: of `location`, `without_location`, `started_before` and `dry_run` none
/// stands beside a `run_id`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CancelBody {
    #[serde(flatten)]
    pub one: CancelRequest,
    #[serde(flatten)]
    pub before: CancelBeforeRequest,
}

/// For one run, or for all that started before some time.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum CancelAnswer {
    One(Box<CompleteResponse>),
    Before(CancelBeforeResponse),
}

/// What was cancelled, or would be with `dry_run`, by run_id.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CancelBeforeResponse {
    #[schema(example = "80 tests cancelled, 0 asked to stop")]
    pub message: String,
    pub dry_run: bool,
    pub started_before: Timestamp,
    /// Those without a lease.
    pub ended: Vec<CancelledRun>,
    /// Those with a lease; they hold their share until they have stopped.
    pub stopping: Vec<CancelledRun>,
    /// Whether there are more than one call takes; call again for the rest.
    pub more: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CancelledRun {
    #[schema(example = 7)]
    pub run_id: i64,
    pub test: String,
    pub triggered_by: String,
    #[schema(value_type = f64, example = 0.5)]
    pub factor: Decimal,
    /// UTC.
    pub start_time: Timestamp,
}
