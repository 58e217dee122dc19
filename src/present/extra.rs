//! The further fields of a run: what its pipeline said of it beside what we ask for.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::{shortened, visible};
use crate::domain::link::is_web_link;

/// So many bytes of a page are theirs at the most.
const MOST_BYTES: usize = 30_000;
/// What a field costs beside its texts.
const BYTES_OF_MARKUP: usize = 60;
/// A longer text is folded, and this much of it is its summary.
const LONGEST_UNFOLDED_CHARACTERS: usize = 120;
const SUMMARY_CHARACTERS: usize = 60;
const LONGEST_NAME_CHARACTERS: usize = 100;
const LONGEST_LINK_CHARACTERS: usize = 80;
/// Beside what adoption could not take over it keeps what stood there, under such names.
const ORIGINAL: &str = "original_";

/// The fields that a page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    pub fields: Vec<Field>,
    /// Of an adopted run: what stood in the original's database where this one has something else.
    pub originals: Vec<Field>,
    /// How many fields are cut or left out.
    pub cut: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: Value,
}

impl Field {
    fn bytes(&self) -> usize {
        escaped_bytes(&self.name) + self.value.bytes() + BYTES_OF_MARKUP
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Link { text: String, url: String },
    Folded { summary: String, text: String },
}

impl Value {
    /// A text as it is meant, anything else as it is written.
    fn of(raw: &str) -> Self {
        let text = serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned());
        if is_web_link(&text) {
            return Self::Link { text: shortened(&text, LONGEST_LINK_CHARACTERS).into_owned(), url: text };
        }
        // Lines stay lines; all else that would deceive the eye is marked.
        let shown = text.lines().map(visible).collect::<Vec<_>>().join("\n");
        if shown.contains('\n') || shown.chars().nth(LONGEST_UNFOLDED_CHARACTERS).is_some() {
            let summary = shortened(&visible(&text), SUMMARY_CHARACTERS).into_owned();
            return Self::Folded { summary, text: shown };
        }
        Self::Text(shown)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => escaped_bytes(text),
            Self::Link { text, url } => escaped_bytes(text) + escaped_bytes(url),
            Self::Folded { summary, text } => escaped_bytes(summary) + escaped_bytes(text),
        }
    }
}

/// The fields of a JSON object, as far as there is room for them; each keeps its place.
#[must_use]
pub fn shown(extra: &str, is_adopted: bool) -> Extra {
    let Ok(Object(fields)) = serde_json::Deserializer::from_str(extra).deserialize_map(ObjectVisitor) else {
        return Extra::default();
    };
    let (mut shown, mut room) = (Extra::default(), MOST_BYTES);
    for (name, raw) in fields {
        let original = name.strip_prefix(ORIGINAL).filter(|_| is_adopted).map(|name| name.replace('_', " "));
        let is_original = original.is_some();
        let name = visible(&shortened(&original.unwrap_or(name), LONGEST_NAME_CHARACTERS)).into_owned();
        let mut field = Field { name, value: Value::of(raw.get()) };
        if field.bytes() > room {
            shown.cut += 1;
            field.value = Value::Text(shortened(&visible(raw.get()), SUMMARY_CHARACTERS).into_owned());
        }
        let Some(left) = room.checked_sub(field.bytes()) else { continue };
        room = left;
        if is_original { shown.originals.push(field) } else { shown.fields.push(field) }
    }
    shown
}

/// How many bytes the text takes on a page.
fn escaped_bytes(text: &str) -> usize {
    text.len() + 4 * text.bytes().filter(|byte| matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'')).count()
}

struct Object(Vec<(String, Box<RawValue>)>);

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn each_field_is_shown_as_what_it_is_in_the_order_in_which_it_came() {
        let long = "x".repeat(121);
        let extra = format!(
            r#"{{"users": 2000.50, "build": "4711", "a": {{"b": [1, {{"c": null}}]}}, "link": "https://ci.example.com/7",
                "script": "javascript:alert(1)", "long": "{long}", "lines": "a\nb\u202e", "no": null}}"#
        );
        let shown = shown(&extra, false);
        let values: Vec<(&str, Value)> =
            shown.fields.iter().map(|field| (field.name.as_str(), field.value.clone())).collect();
        let url = "https://ci.example.com/7".to_owned();
        assert_eq!(
            values,
            [
                ("users", text("2000.50")),
                ("build", text("4711")),
                ("a", text(r#"{"b": [1, {"c": null}]}"#)),
                ("link", Value::Link { text: url.clone(), url }),
                ("script", text("javascript:alert(1)")),
                ("long", Value::Folded { summary: format!("{}…", &long[..59]), text: long.clone() }),
                ("lines", Value::Folded { summary: "a\u{fffd}b\u{fffd}".to_owned(), text: "a\nb\u{fffd}".to_owned() }),
                ("no", text("null")),
            ]
        );
    }

    #[test]
    fn however_much_was_sent_a_page_has_room_for_it() {
        let fields: Vec<String> =
            (0..200).map(|number| format!(r#""field {number}": "<<<<<<<<<<<<<<<<<<<<<<""#)).collect();
        let nested = format!("{}1{}", r#"{"a":"#.repeat(30), "}".repeat(30));
        for extra in [
            format!("{{{}}}", fields.join(",")),
            format!(r#"{{"one": "{}", "two": 2}}"#, "<".repeat(16_000)),
            format!(r#"{{"{}": 1}}"#, "&".repeat(16_000)),
            nested,
        ] {
            let shown = shown(&extra, false);
            let bytes: usize = shown.fields.iter().map(Field::bytes).sum();
            let count = serde_json::from_str::<serde_json::Map<_, _>>(&extra).expect("an object").len();
            assert!(bytes <= MOST_BYTES && !shown.fields.is_empty(), "{bytes}: {extra}");
            assert!(shown.fields.len() + shown.cut >= count, "{} and {}: {extra}", shown.fields.len(), shown.cut);
        }
    }

    #[test]
    fn what_stood_in_the_originals_database_is_told_apart_only_where_a_run_came_from_there() {
        let extra = r#"{"original_run_id": 3, "original_status": "done", "build": 1}"#;
        let adopted = shown(extra, true);
        assert_eq!((adopted.originals.len(), adopted.fields.len()), (2, 1));
        assert_eq!(adopted.originals[0], Field { name: "run id".to_owned(), value: text("3") });
        assert_eq!(shown(extra, false).fields.len(), 3);
        assert_eq!(shown("no object", true), Extra::default());
    }
}
