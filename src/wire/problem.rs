//! Errors, as RFC 9457 describes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::room::Obstacle;

/// What went wrong, and what to do about it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; see docs/reference/api.md.
    #[serde(rename = "type")]
    #[schema(example = "urn:perfreg:problem:invalid")]
    pub kind: String,
    #[schema(example = "Unprocessable Content")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What went wrong, in a sentence.
    #[schema(example = "factor must not be negative.")]
    pub detail: String,
    /// The same as `detail`, for pipelines that read the `message` of every answer.
    #[schema(example = "factor must not be negative.")]
    pub message: String,
    /// What is wrong with each field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    #[schema(example = "factor")]
    pub field: String,
    #[schema(example = "must not be negative")]
    pub message: String,
    /// `never_fits` if the factor is too large for the location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "never_fits")]
    pub obstacle: Option<Obstacle>,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), obstacle: None }
    }
}
