//! What names something: which texts count as one name, and which names are close to each other.
//!
//! Names are compared byte by byte, so that two which nobody can tell apart must not differ. Upper and lower case do.

use std::borrow::Cow;

use strsim::damerau_levenshtein;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_security::skeleton;

pub const LONGEST_NAME_CHARACTERS: usize = 255;
/// How many names are looked at for the nearest.
pub const MOST_NAMES_COMPARED: usize = 10_000;

/// What is wrong with a text that is to name something; it reads on after the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most {LONGEST_NAME_CHARACTERS} characters")]
    TooLong,
    #[error("must not contain control characters such as NUL or a line break")]
    Control,
    #[error("must not contain the invisible character U+{0:04X}; type it again without")]
    Invisible(u32),
    #[error("must have at least one visible character")]
    NothingVisible,
}

/// The name as it is kept: without outer white space, in Unicode's normal form C, inner spaces of any kind as one plain one.
///
/// # Errors
/// If it names nothing, is too long, or has characters that nobody sees. Joiners and variation selectors stay where they
/// change how the characters beside them look.
pub fn clean(text: &str) -> Result<Cow<'_, str>, NameError> {
    let text = text.trim();
    let is_plain = text.is_ascii() && !text.contains("  ");
    let clean = if is_plain { Cow::Borrowed(text) } else { Cow::Owned(normal_form(text)) };
    if clean.is_empty() {
        return Err(NameError::Empty);
    }
    if clean.len() > LONGEST_NAME_CHARACTERS && clean.chars().count() > LONGEST_NAME_CHARACTERS {
        return Err(NameError::TooLong);
    }
    if clean.is_ascii() {
        return if clean.bytes().any(|byte| byte.is_ascii_control()) { Err(NameError::Control) } else { Ok(clean) };
    }
    check_characters(&clean)?;
    Ok(clean)
}

fn normal_form(text: &str) -> String {
    let mut before = None;
    let kept = text.chars().filter_map(|one| {
        let one = if one.general_category() == GeneralCategory::SpaceSeparator { ' ' } else { one };
        let is_repeated = one == ' ' && before == Some(' ');
        before = Some(one);
        (!is_repeated).then_some(one)
    });
    kept.nfc().collect()
}

fn check_characters(name: &str) -> Result<(), NameError> {
    let mut before = None;
    for (at, one) in name.char_indices() {
        if one.is_control() || matches!(one, '\u{2028}' | '\u{2029}') {
            return Err(NameError::Control);
        }
        let after = name[at + one.len_utf8()..].chars().next();
        let is_out_of_place = match one {
            '\u{200C}' | '\u{200D}' => !before.is_some_and(joins) || !after.is_some_and(joins),
            '\u{FE0E}' | '\u{FE0F}' => !before.is_some_and(is_symbol) && after != Some(KEYCAP),
            _ => is_invisible(one),
        };
        if is_out_of_place {
            return Err(NameError::Invisible(one.into()));
        }
        before = Some(one);
    }
    if name.chars().any(is_visible) { Ok(()) } else { Err(NameError::NothingVisible) }
}

/// What makes a key of a digit, and comes behind a variation selector.
const KEYCAP: char = '\u{20E3}';

fn is_symbol(one: char) -> bool {
    one.general_category_group() == GeneralCategoryGroup::Symbol
}

/// Whether a joiner beside it changes how it looks: letters and marks of scripts that join, and emoji.
fn joins(one: char) -> bool {
    let is_of_script = matches!(one, '\u{600}'..='\u{DFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{18AF}'
        | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}');
    is_of_script || is_symbol(one) || one == '\u{FE0F}'
}

/// Whether a character has no shape that everybody knows.
///
/// Those are the ones of format and direction, the private ones and those that are not assigned, and fillers that are letters,
/// marks or symbols by their category: Unicode's `Default_Ignorable_Code_Point`, the blank pattern of Braille and the null note.
#[must_use]
pub fn is_invisible(one: char) -> bool {
    use GeneralCategory::{Format, PrivateUse, Unassigned};
    matches!(one.general_category(), Format | PrivateUse | Unassigned)
        || matches!(one, '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{2800}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}' | '\u{1D159}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether it is seen by itself: marks and spaces are not.
fn is_visible(one: char) -> bool {
    let group = one.general_category_group();
    !is_invisible(one) && !matches!(group, GeneralCategoryGroup::Mark | GeneralCategoryGroup::Separator)
}

/// Whether the whole name stands in quotes, as one does that was quoted twice on its way here.
#[must_use]
pub fn is_quoted(name: &str) -> bool {
    const QUOTES: [(char, char); 6] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('«', '»')];
    let inner = |(open, close): &(char, char)| name.strip_prefix(*open)?.strip_suffix(*close);
    QUOTES.iter().filter_map(inner).any(|inner| !inner.is_empty())
}

/// Of the first [`MOST_NAMES_COMPARED`] names, the one that is closest to `name`, if one is close.
///
/// A close one differs in case, in what stands between its parts, in characters that look alike, or in few characters.
/// The distance is that of Damerau and Levenshtein ("A technique for computer detection and correction of spelling
/// errors", 1964), and may be a fifth of the length, at least 1. Characters look alike by Unicode's Technical Standard 39.
#[must_use]
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = forms(name);
    let length = wanted[0].chars().count();
    if length == 0 {
        return None;
    }
    let allowed = if length < 3 { 0 } else { (length / 5).max(1) };
    let is_comparable =
        |(one, other): &(&String, &String)| one.chars().count().abs_diff(other.chars().count()) <= allowed;
    let distance = |other: &'a str| {
        let forms = forms(other);
        let pairs = wanted.iter().zip(&forms).filter(is_comparable);
        let close = pairs.map(|(one, other)| damerau_levenshtein(one, other)).min()?;
        (other != name && close <= allowed).then(|| (close, damerau_levenshtein(name, other), other))
    };
    names.into_iter().take(MOST_NAMES_COMPARED).filter_map(distance).min().map(|(_, _, other)| other)
}

/// What is left of a name at a glance: its letters and digits, and what they look like. An m looks like rn, so that two
/// letters change places in the first form only.
fn forms(name: &str) -> [String; 2] {
    let letters = name.nfkc().flat_map(char::to_lowercase).filter(|one| one.is_alphanumeric()).collect::<String>();
    let looks = skeleton(&letters).collect();
    [letters, looks]
}

/// Whether a name is as [`clean`] leaves it. Those of before there was such a rule may not be.
#[must_use]
pub fn is_clean(name: &str) -> bool {
    clean(name).is_ok_and(|clean| clean == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_tell_apart_is_one_name() {
        for text in ["azure-k8s", " azure-k8s", "azure-k8s\n", "\u{a0}azure-k8s\u{3000}", "\tazure-k8s\r\n"] {
            assert_eq!(clean(text).as_deref(), Ok("azure-k8s"), "{text:?}");
        }
        assert_eq!(clean("Mu\u{308}nchen"), clean("München"));
        assert_eq!(clean("load\u{a0}lab"), clean("load lab"));
        assert_eq!(clean("load\u{2003} lab é"), clean("load lab e\u{301}"));
        assert_eq!(clean("load  lab"), clean("load lab"));
        assert_ne!(clean("Azure"), clean("azure"));
    }

    #[test]
    fn characters_that_nobody_sees_are_refused() {
        for one in [
            '\u{AD}',
            '\u{200B}',
            '\u{200E}',
            '\u{202E}',
            '\u{2066}',
            '\u{2069}',
            '\u{2060}',
            '\u{FEFF}',
            '\u{34F}',
            '\u{3164}',
            '\u{2800}',
            '\u{E0041}',
            '\u{FE00}',
            '\u{FE0F}',
            '\u{200D}',
            '\u{2065}',
            '\u{FFF0}',
            '\u{FFFF}',
            '\u{378}',
            '\u{E000}',
            '\u{1D159}',
        ] {
            for text in [format!("azure{one}k8s"), format!("{one}azure"), format!("azure{one}"), format!("é{one}")] {
                assert_eq!(clean(&text), Err(NameError::Invisible(one.into())), "{text:?}");
            }
        }
        for text in ["a\nb", "a\u{0}b", "a\u{7f}b", "é\u{85}b", "é\u{2028}b"] {
            assert_eq!(clean(text), Err(NameError::Control), "{text:?}");
        }
    }

    #[test]
    fn joiners_stand_only_where_they_change_how_a_name_looks() {
        for text in ["می\u{200C}خواهم", "क्\u{200D}ष", "👩\u{200D}💻", "❤\u{FE0F}", "1\u{FE0F}\u{20E3}", "压测集群"]
        {
            assert_eq!(clean(text).as_deref(), Ok(text), "{text:?}");
        }
        for text in
            ["azure\u{200D}", "a\u{200C}b", "é\u{200C}é", "می\u{200C}", "👩\u{200D}\u{200D}💻", "❤\u{FE0F}\u{FE0F}"]
        {
            assert!(matches!(clean(text), Err(NameError::Invisible(_))), "{text:?}");
        }
    }

    #[test]
    fn a_name_has_something_to_see_and_an_end() {
        for text in ["", " ", "\u{3000}\u{a0}"] {
            assert_eq!(clean(text), Err(NameError::Empty), "{text:?}");
        }
        assert_eq!(clean("\u{301}"), Err(NameError::NothingVisible));
        assert_eq!(clean(&"x".repeat(256)), Err(NameError::TooLong));
        assert_eq!(clean(&"é".repeat(256)), Err(NameError::TooLong));
        for text in ["x".repeat(255), "é".repeat(255), "e\u{301}".repeat(255), format!(" {} ", "x".repeat(255))] {
            assert!(clean(&text).is_ok_and(|name| is_clean(&name)), "{text}");
        }
    }

    #[test]
    fn quotes_around_a_whole_name_are_seen() {
        for text in ["\"a\"", "'azure-k8s'", "“a”", "`a`", "«a»"] {
            assert!(is_quoted(text), "{text}");
        }
        for text in ["a", "\"\"", "'", "it's", "\"a\" and b", "'a"] {
            assert!(!is_quoted(text), "{text}");
        }
    }

    #[test]
    fn the_nearest_name_is_one_that_a_person_may_have_meant() {
        let known = ["\"azure-k8s\"", "azure-k8s", "azure-vm", "on-premise-vm", "压测集群", "ab", "gcp", "demo"];
        for (name, nearest_name) in [
            ("azure-k8z", Some("azure-k8s")),
            ("Azure K8S", Some("azure-k8s")),
            ("azure_k8s", Some("azure-k8s")),
            ("'azure-k8s'", Some("\"azure-k8s\"")),
            ("аzurе-k8s", Some("azure-k8s")),
            ("ａｚｕｒｅ-k8s", Some("azure-k8s")),
            ("azrue-vm", Some("azure-vm")),
            ("on-prem-vm", None),
            ("ac", None),
            ("gpc", Some("gcp")),
            ("dmeo", Some("demo")),
            ("derno", Some("demo")),
            ("压测集羣", Some("压测集群")),
            ("azure-k8s", Some("\"azure-k8s\"")),
            ("😀", None),
            ("/", None),
            ("mainframe", None),
        ] {
            assert_eq!(nearest(name, known), nearest_name, "{name}");
        }
    }
}
