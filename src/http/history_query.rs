//! Reads the query of a list.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use url::form_urlencoded;

use crate::domain::history::{Cursor, Filter, Pattern, SearchField, readable_times};
use crate::http::error::given_twice;
use crate::registry::MOST_PER_PAGE;
use crate::wire::problem::FieldError;

/// No name is longer, so no longer pattern finds anything that a shorter one does not.
const LONGEST_PATTERN_CHARACTERS: usize = 512;

/// What a list was asked for.
#[derive(Debug, Default)]
pub struct ListQuery {
    pub filter: Filter,
    /// How many executions a page has; `None` asks for all of them.
    pub limit: Option<usize>,
    pub after: Option<Cursor>,
}

/// The value of one parameter, if it is there and not empty.
pub fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    query_pairs(query).find(|(key, _)| key == name).map(|(_, value)| value)
}

/// # Errors
/// The parameters that have no meaning, or are given twice.
pub fn check_known(query: Option<&str>, known: &[&str]) -> Result<(), Vec<FieldError>> {
    check_once(query)?;
    let unknown = query_pairs(query).filter(|(name, _)| !known.contains(&name.as_str()));
    let error = |(field, _)| FieldError::new(field, "is not a parameter of this call; see /docs");
    let errors: Vec<FieldError> = unknown.map(error).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// # Errors
/// The parameters that are given twice.
pub fn check_once(query: Option<&str>) -> Result<(), Vec<FieldError>> {
    let names: Vec<String> = query_pairs(query).map(|(name, _)| name).collect();
    let twice = given_twice(names.iter().map(String::as_str));
    if twice.is_empty() { Ok(()) } else { Err(twice) }
}

/// Empty parameters, as forms send them, count as missing.
pub fn query_pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().filter(|(_, value)| !value.is_empty())
}

/// # Errors
/// Every parameter that is unknown or has no meaning; a list that silently ignored one would
/// show what nobody asked for.
pub fn read_history_query(query: Option<&str>) -> Result<ListQuery, Vec<FieldError>> {
    check_once(query)?;
    let mut read = ListQuery::default();
    let mut errors = Vec::new();
    for (name, value) in query_pairs(query) {
        if let Err(message) = read.set(&name, &value) {
            errors.push(FieldError::new(name, message));
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

impl ListQuery {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if let Some(field) = SearchField::ALL.into_iter().find(|field| field.as_str() == name) {
            self.filter.patterns.push((field, pattern(value)?));
            return Ok(());
        }
        match name {
            "status" => self.filter.status = Some(value.parse().map_err(|error| format!("{error}"))?),
            "from" => self.filter.from = Some(time_in_query(value)?),
            "to" => self.filter.to = Some(time_in_query(value)?),
            "limit" => self.limit = Some(limit(value)?),
            "cursor" => self.after = Some(value.parse().map_err(|error| format!("{error}"))?),
            _ => return Err("is not a parameter of this list; see /docs".to_owned()),
        }
        Ok(())
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("is not UTF-8; in a URL the wildcard % is written %25".to_owned());
    }
    if text.chars().count() > LONGEST_PATTERN_CHARACTERS {
        return Err(format!("must have at most {LONGEST_PATTERN_CHARACTERS} characters"));
    }
    if text.contains('\0') {
        return Err("must not contain NUL".to_owned());
    }
    Ok(Pattern::new(text))
}

/// A time in a query, in which a zone such as +01:00 is easily written wrong.
pub fn time_in_query(text: &str) -> Result<Timestamp, String> {
    time(text).map_err(|message| format!("{message} (in a URL, + is written %2B)"))
}

pub fn time(text: &str) -> Result<Timestamp, &'static str> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).ok();
    // A date is also read from a time without a zone, whose hours would be lost.
    let is_date = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let (earliest, latest) = readable_times();
    let date = || text.parse().ok().filter(|_| is_date).and_then(midnight);
    let time = text.parse::<Timestamp>().ok().or_else(date);
    time.filter(|time| (earliest..=latest).contains(time))
        .ok_or("must be a time such as 2026-11-22T14:03:00Z or a date such as 2026-11-22")
}

pub fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MOST_PER_PAGE).contains(limit));
    limit.ok_or_else(|| format!("must be a whole number from 1 to {MOST_PER_PAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_parameters_count_as_missing() {
        let read = read_history_query(Some("stream=&status=&limit=")).expect("a form without any choice");
        assert_eq!(read.filter, Filter::default());
        assert_eq!(read.limit, None);
    }

    #[test]
    fn a_date_begins_at_midnight_utc() {
        let read = read_history_query(Some("from=2026-11-22&to=2026-11-23T01:00:00%2B01:00")).expect("valid");
        let midnight = |day: &str| Some(format!("{day}T00:00:00Z").parse().expect("a time"));
        assert_eq!(read.filter.from, midnight("2026-11-22"));
        assert_eq!(read.filter.to, midnight("2026-11-23"));
    }

    #[test]
    fn every_parameter_without_a_meaning_is_named() {
        assert!(read_history_query(Some("stream=a&stream=b")).is_err());
        assert!(read_history_query(Some("from=2026-11-22T14:03:00")).is_err(), "without a zone it is no time");
        let query = "strem=x&status=done&from=yesterday&limit=0&cursor=x&stream=%ff";
        let errors = read_history_query(Some(query)).expect_err("nothing here has a meaning");
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["strem", "status", "from", "limit", "cursor", "stream"]);
    }
}
