//! `POST /cancel`.

use serde::Serialize;
use utoipa::ToSchema;

/// The run_id may stand in the query instead.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CancelRequest {
    /// A number, or its text.
    #[schema(value_type = super::register::NumberOrText, example = 7)]
    pub run_id: i64,
}
