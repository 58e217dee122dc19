//! Texts that others chose, so that they show what they are.

use std::borrow::Cow;

/// Stands for a character that would change how the text beside it is read.
const MARK: char = '\u{fffd}';

/// The text, with a mark for each character that would turn what follows, break the line or show nothing.
///
/// Names that were registered before such characters were refused may hold them.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.contains(is_deceptive) {
        Cow::Owned(text.replace(is_deceptive, &MARK.to_string()))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text with at most so many characters, the last one an ellipsis where something is left out.
#[must_use]
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    Cow::Owned(short)
}

/// The text with a capital letter first, to stand as a sentence.
#[must_use]
pub fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

fn is_deceptive(one: char) -> bool {
    one.is_control()
        || matches!(one, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shortened_only_where_it_is_longer() {
        for (text, shown) in [("", ""), ("añb", "añb"), ("añbc", "añ…"), ("😀😀😀😀", "😀😀…")] {
            assert_eq!(shortened(text, 3), shown);
        }
    }

    #[test]
    fn what_would_deceive_the_eye_is_marked_and_the_rest_stays() {
        for (text, shown) in [
            ("checkout-peak", "checkout-peak"),
            ("ev\u{202e}il", "ev\u{fffd}il"),
            ("\u{2066}a\u{2069}\n", "\u{fffd}a\u{fffd}\u{fffd}"),
            ("a\u{200b}b\u{e0041}", "a\u{fffd}b\u{fffd}"),
            ("حمل 負荷 👩\u{200d}🚀", "حمل 負荷 👩\u{200d}🚀"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
