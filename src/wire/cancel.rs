//! `POST /cancel`.

use serde::Serialize;
use utoipa::ToSchema;

/// The run_id may stand in the query instead.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CancelRequest {
    /// A number, or its text.
    #[schema(value_type = super::register::NumberOrText, example = 7)]
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
