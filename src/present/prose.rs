//! Sentences for a page: with links to the runs that they name, times in the page's zone, and names that keep to themselves.

use jiff::Timestamp;

use super::text::shortened;
use super::zone::{ShownTime, Zone};

/// A longer sentence is cut; whatever names it has, this says what happened.
const LONGEST_CHARACTERS: usize = 600;
/// `2026-11-22T14:03:00Z`, as sentences write a time.
const TIME_BYTES: usize = 20;

/// A part of a sentence, to be shown as it is or as what it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    /// The run that the text is the number of.
    pub run_id: Option<i64>,
    /// The time that the text tells.
    pub time: Option<ShownTime>,
    /// Whether it is a name, whose direction of writing must not change what is around it.
    pub is_name: bool,
}

/// The sentence in pieces, with a capital letter at its beginning. `own` is the run whose page it is on: no link leads there.
#[must_use]
pub fn pieces(sentence: &str, names: &[&str], own: Option<i64>, zone: &Zone, now: Timestamp) -> Vec<Piece> {
    let sentence = capitalized(&shortened(sentence, LONGEST_CHARACTERS));
    let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_ascii()).collect();
    let (mut pieces, mut plain) = (Vec::new(), String::new());
    let mut rest = sentence.as_str();
    let mut is_in_word = false;
    while let Some(next) = rest.chars().next() {
        let special = if is_in_word { None } else { special_at(rest, &names, zone, now) };
        let special = special.filter(|piece| piece.run_id.is_none() || piece.run_id != own);
        let Some(piece) = special else {
            plain.push(next);
            is_in_word = next.is_alphanumeric();
            rest = &rest[next.len_utf8()..];
            continue;
        };
        if !plain.is_empty() {
            pieces.push(Piece { text: std::mem::take(&mut plain), ..Piece::default() });
        }
        rest = &rest[piece.text.len()..];
        is_in_word = true;
        pieces.push(piece);
    }
    if !plain.is_empty() {
        pieces.push(Piece { text: plain, ..Piece::default() });
    }
    pieces
}

/// What stands at the beginning of the text and is more than text.
fn special_at(text: &str, names: &[&str], zone: &Zone, now: Timestamp) -> Option<Piece> {
    if let Some(name) = names.iter().find(|name| text.starts_with(**name)) {
        return Some(Piece { text: (*name).to_owned(), is_name: true, ..Piece::default() });
    }
    if let Some(time) = text.get(..TIME_BYTES).filter(|time| time.ends_with('Z')).and_then(|time| time.parse().ok()) {
        return Some(Piece {
            text: text[..TIME_BYTES].to_owned(),
            time: Some(zone.time(time, now)),
            ..Piece::default()
        });
    }
    let digits = text.strip_prefix("run ").or_else(|| text.strip_prefix("Run "))?;
    let end = digits.find(|one: char| !one.is_ascii_digit()).unwrap_or(digits.len());
    let ends_there = !digits[end..].starts_with(char::is_alphanumeric);
    let run_id = digits[..end].parse().ok().filter(|_| ends_there)?;
    Some(Piece { text: text[..text.len() - digits.len() + end].to_owned(), run_id: Some(run_id), ..Piece::default() })
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sentence: &str, names: &[&str]) -> Vec<String> {
        let now = "2026-11-22T20:00:00Z".parse().expect("a time");
        let zone = Zone::named("Europe/Lisbon").expect("a zone");
        let shown = |piece: Piece| match (piece.run_id, piece.time, piece.is_name) {
            (Some(run_id), _, _) => format!("[{} -> {run_id}]", piece.text),
            (_, Some(time), _) => format!("[{}]", time.text),
            (_, _, true) => format!("<{}>", piece.text),
            _ => piece.text,
        };
        pieces(sentence, names, Some(7), &zone, now).into_iter().map(shown).collect()
    }

    #[test]
    fn runs_are_links_times_are_local_and_names_keep_to_themselves() {
        for (sentence, shown) in [
            ("run 7 waits: run 12 (0.5)", "Run 7 waits: |[run 12 -> 12]| (0.5)"),
            ("draining until 2026-11-22T14:03:00Z: x", "Draining until |[14:03]|: x"),
            ("since 2026-07-22T14:03:00Z.", "Since |[22 Jul 15:03]|."),
            ("run 7 waits for موقع: run 9", "Run 7 waits for |<موقع>|: |[run 9 -> 9]"),
            ("rerun 9, run 9x, run x, run 99999999999999999999", "Rerun 9, run 9x, run x, run 99999999999999999999"),
            ("2026-13-22T14:03:00Z", "2026-13-22T14:03:00Z"),
            ("", ""),
        ] {
            assert_eq!(told(sentence, &["موقع", ""]).join("|"), shown);
        }
    }

    #[test]
    fn a_sentence_is_whole_up_to_a_length_that_nobody_reads() {
        assert_eq!(told(&"é".repeat(600), &[]).concat().chars().count(), 600);
        let cut = told(&"é".repeat(601), &[]).concat();
        assert!(cut.chars().count() == 600 && cut.ends_with('…'), "{cut}");
    }
}
