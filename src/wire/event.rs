//! `GET /events` and `GET /executions/{run_id}/events`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

/// Every kind of event.
pub const KINDS: [&str; 19] = [
    "queued",
    "started",
    "start_withdrawn",
    "refused",
    "suspect",
    "recovered",
    "stop_requested",
    "taken_back",
    "moved",
    "ended",
    "late_word",
    "word_refused",
    "location_set",
    "location_opened",
    "location_deleted",
    "location_merged",
    "registry_set",
    "registry_opened",
    "resumed",
];

/// One thing that happened.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Later events have larger ones; to be given back as it is.
    #[schema(example = "0-12")]
    pub id: String,
    pub at: Timestamp,
    #[schema(schema_with = kinds)]
    pub kind: String,
    /// Null for a test that was refused, and for what happened to a location.
    pub run_id: Option<i64>,
    #[schema(example = "azure-k8s")]
    pub location: Option<String>,
    /// Who asked, as far as the request said it.
    #[schema(example = "user1")]
    pub by: Option<String>,
    /// What happened, in a sentence.
    #[serde(default)]
    #[schema(example = "run 8 started at azure-k8s with 0.5 of 1, alone")]
    pub text: String,
    /// What was weighed or has changed; docs/reference/api.md names the fields of each kind.
    #[schema(value_type = Object)]
    pub details: Box<RawValue>,
}

fn kinds() -> Schema {
    let text = "What happened; docs/reference/api.md says when. A server of a newer version may know more kinds.";
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(KINDS)).description(Some(text)).into()
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventsResponse {
    pub events: Vec<Event>,
    /// The `cursor` of the next page; null on the last.
    pub next: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// The exact name of a location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Only what happened to this test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<i64>,
    /// One kind, or several with commas between.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "refused,late_word")]
    pub kind: Option<String>,
    /// At or after this: RFC 3339, or a date, which begins at midnight UTC. A stream begins there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Before this; not for a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Events on a page, 100 unless given; not for a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `next` of the page before; not for a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^[0-9]+-[0-9]+$")]
    pub cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::EventKind;

    #[test]
    fn every_kind_of_event_is_named() {
        assert_eq!(KINDS.to_vec(), EventKind::ALL.map(EventKind::as_str).to_vec());
    }
}
