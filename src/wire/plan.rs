//! `POST /plan`.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::decimal::Decimal;
use super::register::{NumberOrText, RegisterRequest};
use super::room::{Obstacle, Room};

/// A test that might want to run: every field of a registration, and none is required. Without a repo, a test, a type and an
/// environment, how long it usually runs is not known.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct PlanRequest {
    /// The share of the location, a number or a decimal string with at most six digits after the
    /// point; missing means 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NumberOrText>, example = 0.5)]
    pub factor: Option<String>,
    /// Missing means that the test is bound by nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "azure-k8s")]
    pub location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "myrepo")]
    pub repo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "lac1")]
    pub lac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "main")]
    pub stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "load")]
    pub test: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "performance")]
    pub r#type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "prod")]
    pub environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "user1")]
    pub triggered_by: Option<String>,
    /// How long it would wait for room, up to 86,400; missing or 0 means not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 86400, example = 600)]
    pub wait_seconds: Option<u32>,
    /// 0 to 9; among those who wait, the larger goes first. Missing means 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 9, example = 5)]
    pub priority: Option<u8>,
    /// How long it will probably run, up to 604,800. Missing means the median of the last 20
    /// successes of the same repo, test, type and environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 604_800, example = 900)]
    pub expected_seconds: Option<u32>,
}

impl From<&RegisterRequest> for PlanRequest {
    /// What a plan needs of it; names that are empty are left out.
    fn from(request: &RegisterRequest) -> Self {
        let name = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Self {
            factor: request.factor.clone(),
            location: request.location.clone(),
            repo: name(&request.repo),
            lac: name(&request.lac),
            stream: name(&request.stream),
            test: name(&request.test),
            r#type: name(&request.r#type),
            environment: name(&request.environment),
            triggered_by: name(&request.triggered_by),
            wait_seconds: request.wait_seconds,
            priority: request.priority,
            expected_seconds: request.expected_seconds,
        }
    }
}

/// What would come of a registration now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanResponse {
    /// What would happen, in a sentence.
    #[schema(example = "It would start now.")]
    pub message: String,
    pub starts_now: bool,
    /// What keeps it from starting.
    pub obstacle: Option<Obstacle>,
    /// When it would probably start if it waited; null where that cannot be told.
    pub estimated_start: Option<Timestamp>,
    /// The largest factor that would start now; null if none would.
    #[schema(value_type = Option<f64>, example = 0.499_999)]
    pub largest_factor: Option<Decimal>,
    /// What a person should know of its names, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    #[serde(flatten)]
    pub room: Room,
}
