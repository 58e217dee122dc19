//! Reads the query of a list or a stream of events.

use super::history_query::{check_once, limit, query_pairs, time_in_query};
use crate::domain::capacity::location::LocationName;
use crate::domain::event::{EventFilter, EventId, EventKind};
use crate::domain::execution::RunId;
use crate::wire::problem::FieldError;

const USUAL_LIMIT: usize = 100;

/// What events were asked for.
#[derive(Debug)]
pub struct EventQuery {
    pub filter: EventFilter,
    pub limit: usize,
    pub after: Option<EventId>,
}

/// Reads the query; where the path names the run, the query must not.
///
/// # Errors
/// Every parameter that is unknown, has no meaning, or none for a stream.
pub fn read_event_query(
    query: Option<&str>,
    run_id: Option<RunId>,
    is_stream: bool,
) -> Result<EventQuery, Vec<FieldError>> {
    check_once(query)?;
    let filter = EventFilter { run_id, ..EventFilter::default() };
    let mut read = EventQuery { filter, limit: USUAL_LIMIT, after: None };
    let mut errors = Vec::new();
    for (name, value) in query_pairs(query) {
        let result = match name.as_str() {
            "run_id" | "location" if run_id.is_some() => Err("is not needed where the path names a run".to_owned()),
            "to" | "limit" | "cursor" if is_stream => Err("has no meaning for a stream".to_owned()),
            name => read.set(name, &value),
        };
        if let Err(message) = result {
            errors.push(FieldError::new(name, message));
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

impl EventQuery {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "location" => self.filter.location = Some(LocationName::new(value)),
            "run_id" => {
                let number = value.parse().map_err(|_| "must be a whole number such as 7")?;
                self.filter.run_id = Some(RunId(number));
            }
            "kind" => {
                let kinds: Result<Vec<EventKind>, _> = value.split(',').map(str::parse).collect();
                self.filter.kinds = kinds.map_err(|error| error.to_string())?;
            }
            "from" => self.filter.from = Some(time_in_query(value)?),
            "to" => self.filter.to = Some(time_in_query(value)?),
            "limit" => self.limit = limit(value)?,
            "cursor" => self.after = Some(value.parse().map_err(|error| format!("{error}"))?),
            _ => return Err("is not a parameter of this list; see /docs".to_owned()),
        }
        Ok(())
    }
}
