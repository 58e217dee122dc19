//! Takes the fields of a JSON object one by one, and collects what is wrong with each.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::whole_number::whole_digits;
use crate::domain::capacity::factor::{Factor, FactorError};
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::RunId;
use crate::domain::history::readable_times;
use crate::domain::link::is_web_link;
use crate::domain::name::clean;
use crate::http::error::{ApiError, given_twice};
use crate::wire::problem::FieldError;

const LONGEST_URL_CHARACTERS: usize = 2_048;
const LARGEST_EXTRA_BYTES: usize = 16 * 1024;
/// Most calls have no more, and a list that grows is copied.
const USUAL_FIELDS: usize = 16;

/// The fields that have not been taken yet, each with its exact text, and what was wrong so far.
#[derive(Debug)]
pub struct Fields {
    left: Vec<(String, Box<RawValue>)>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// # Errors
    /// If the body is not one JSON object whose names are all different.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let left = deserializer
            .deserialize_map(ObjectVisitor)
            .and_then(|fields| deserializer.end().map(|()| fields))
            .map_err(|error| ApiError::invalid("body", explain(body, &error)))?;
        let twice = given_twice(left.iter().map(|(name, _)| name.as_str()));
        if twice.is_empty() { Ok(Self { left, errors: Vec::new() }) } else { Err(ApiError::Invalid(twice)) }
    }

    /// The fields of a form. Those without a value, as forms send them, count as missing.
    ///
    /// # Errors
    /// If one is given twice.
    pub fn of_form(pairs: &[(String, String)]) -> Result<Self, ApiError> {
        let twice = given_twice(pairs.iter().map(|(name, _)| name.as_str()));
        if !twice.is_empty() {
            return Err(ApiError::WrongForm(twice));
        }
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        let left = given.filter_map(|(name, value)| Some((name.clone(), to_raw_value(value).ok()?))).collect();
        Ok(Self { left, errors: Vec::new() })
    }

    fn take(&mut self, name: &str) -> Option<Box<RawValue>> {
        let index = self.left.iter().position(|(field, _)| field == name)?;
        let (_, value) = self.left.remove(index);
        (value.get() != "null").then_some(value)
    }

    /// Notes what is wrong with a field; only the first thing that is wrong with it is told.
    pub fn reject(&mut self, name: &str, message: impl fmt::Display) {
        if !self.errors.iter().any(|error| error.field == name) {
            self.errors.push(field_error(name, &message.to_string()));
        }
    }

    /// The value of a field, or what is wrong with it, which is noted.
    pub fn take_result<T>(&mut self, name: &str, result: Result<T, impl fmt::Display>) -> Option<T> {
        result.map_err(|message| self.reject(name, message)).ok()
    }

    /// A text that names something, as it is kept; empty where there is an error.
    pub fn required_text(&mut self, name: &str) -> String {
        if !self.has(name) {
            self.take(name);
            self.reject(name, "is required");
            return String::new();
        }
        self.optional_text(name).unwrap_or_default()
    }

    /// A text that names something, as it is kept, if there is one.
    pub fn optional_text(&mut self, name: &str) -> Option<String> {
        let text = self.string(name)?;
        self.take_result(name, clean(&text).map(Cow::into_owned))
    }

    /// The name of a location, as it is kept, if there is one.
    pub fn optional_location(&mut self, name: &str) -> Option<LocationName> {
        let text = self.optional_text(name)?;
        self.take_result(name, location_name(&text))
    }

    /// An http or https link, if there is one. An empty text, which pipelines send for a
    /// variable that is not set, is no link.
    pub fn optional_link(&mut self, name: &str) -> Option<String> {
        let text = self.string(name).filter(|text| !text.is_empty())?;
        if text.chars().count() > LONGEST_URL_CHARACTERS {
            self.reject(name, format_args!("must have at most {LONGEST_URL_CHARACTERS} characters"));
        } else if !is_web_link(&text) {
            self.reject(name, "must be a link that begins with http:// or https://");
        } else {
            return Some(text);
        }
        None
    }

    /// A decimal, given as a number or as its text, read from exactly what was sent.
    pub fn optional_factor(&mut self, name: &str) -> Option<Factor> {
        let value = self.take(name)?;
        let text = match value.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(value.get()).map_err(|_| FactorError::NotANumber),
            Some(b'-' | b'0'..=b'9') => Ok(value.get().to_owned()),
            _ => Err(FactorError::NotANumber),
        };
        match text.and_then(|text: String| Factor::parse(&text)) {
            Ok(factor) => Some(factor),
            Err(error) => {
                self.reject(name, error);
                None
            }
        }
    }

    /// A run_id, given as a number or as its text.
    pub fn required_run_id(&mut self, name: &str) -> Option<RunId> {
        let Some(value) = self.take(name) else {
            self.reject(name, "is required");
            return None;
        };
        self.take_result(name, number_text(&value).parse())
    }

    /// A text, whatever is in it.
    pub fn string(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        let text = serde_json::from_str(value.get()).ok();
        if text.is_none() {
            self.reject(name, "must be a text in quotes");
        }
        text
    }

    pub fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(field, value)| field == name && value.get() != "null")
    }

    pub fn optional_bool(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?;
        let boolean = serde_json::from_str(value.get()).ok();
        if boolean.is_none() {
            self.reject(name, "must be true or false");
        }
        boolean
    }

    /// A whole number in `range`, given as a number or as its text.
    pub fn optional_number(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.take(name)?;
        let text = number_text(&value);
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = range.into_inner();
            self.reject(name, format_args!("must be a whole number from {least} to {most}"));
        }
        number
    }

    /// A time in the future or in the past, as RFC 3339 writes it.
    pub fn optional_time(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.string(name)?;
        let (earliest, latest) = readable_times();
        let time = text.parse().ok().filter(|time| (earliest..=latest).contains(time));
        if time.is_none() {
            self.reject(name, "must be a time such as 2026-11-22T14:03:00Z");
        }
        time
    }

    /// Every field that was not taken, as one JSON object in which each value keeps its text.
    pub fn take_rest(&mut self) -> String {
        let mut object = String::from("{");
        for (name, value) in std::mem::take(&mut self.left) {
            // Also refuses what nests more deeply than any reader of it could follow.
            if let Err(error) = serde_json::from_str::<Value>(value.get()) {
                self.reject(&name, format_args!("is not a value that can be kept: {error}"));
            }
            if object.len() > 1 {
                object.push(',');
            }
            object.push_str(&Value::String(name).to_string());
            object.push(':');
            object.push_str(value.get());
        }
        object.push('}');
        if object.len() > LARGEST_EXTRA_BYTES {
            self.reject("extra", "fields must not take more than 16 KiB together");
        }
        object
    }

    /// For calls that know all of their fields: a misspelt one must not be overlooked.
    pub fn reject_rest(&mut self) {
        for (name, _) in std::mem::take(&mut self.left) {
            self.reject(&name, "is not a field of this call; see /docs");
        }
    }

    /// The value, if nothing was wrong with any field. Where a field gave no value for it,
    /// there is an error.
    ///
    /// # Errors
    /// Everything that was wrong.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ApiError> {
        value.filter(|_| self.errors.is_empty()).ok_or(ApiError::Invalid(self.errors))
    }
}

/// The digits of a whole number, whether it was sent as a number or as its text.
fn number_text(value: &RawValue) -> String {
    let text: String = serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
    whole_digits(&text).unwrap_or(text)
}

/// The location that a text names, as it is kept.
///
/// # Errors
/// What is wrong, to stand after the field's name.
pub fn location_name(text: &str) -> Result<LocationName, String> {
    let name = clean(text).map_err(|error| error.to_string())?;
    // Every client leaves such a segment out of an address.
    if matches!(name.as_ref(), "." | "..") {
        return Err("must not be . or .., which no address can have".to_owned());
    }
    Ok(LocationName::new(&name))
}

fn field_error(name: &str, message: &str) -> FieldError {
    FieldError::new(name, message)
}

fn explain(body: &[u8], error: &serde_json::Error) -> String {
    if body.is_empty() {
        return "is empty; it must be a JSON object".to_owned();
    }
    if error.is_data() {
        return "must be a JSON object, in braces".to_owned();
    }
    let line = body.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let rest = line.get(error.column().saturating_sub(1)..).unwrap_or_default();
    let constant = ["NaN", "Infinity"].iter().find(|name| rest.starts_with(name.as_bytes()));
    match constant {
        Some(name) => format!("is not JSON: {name}, at column {}, is not a number in JSON", error.column()),
        None => format!("is not JSON: {error}"),
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(USUAL_FIELDS);
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(fields)
    }
}
