//! What a terminal shows, and in how many columns.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;
use textwrap::{WordSeparator, WordSplitter};
use unicode_width::UnicodeWidthChar;

use super::run::environment;

const COLUMNS_UNLESS_TOLD: u16 = 80;
/// Makes the character before it a picture, which takes two columns.
const PICTURE: char = '\u{fe0f}';
const NO_BREAK_SPACE: char = '\u{a0}';
const DATE: &str = "0000-00-00";
const TIME: &str = "00:00";

/// Whether what was drawn there can be drawn over. A dumb terminal cannot, and the pseudo-terminal of a CI job is a log.
pub fn can_redraw(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && is_able()
}

/// Whether to write in colors there: as [`can_redraw`], unless NO_COLOR is set to anything (https://no-color.org).
pub fn has_colors(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && may_have_colors()
}

/// As [`has_colors`], of any terminal that there may be.
pub fn may_have_colors() -> bool {
    is_able() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether a terminal, if there is one, can do more than print one line after the other.
fn is_able() -> bool {
    !is_dumb(std::env::var_os("TERM").as_deref()) && !environment::is_ci_job()
}

fn is_dumb(terminal: Option<&OsStr>) -> bool {
    terminal.is_none_or(|name| name.is_empty() || name == "dumb")
}

/// How many columns the terminal has.
pub fn columns(stream: impl AsFd) -> usize {
    let told = tcgetwinsize(stream).map_or(0, |size| size.ws_col);
    usize::from(if told == 0 { COLUMNS_UNLESS_TOLD } else { told })
}

/// In how many columns a table has to fit: in any number where it goes to a file, a pipe, or is asked for whole.
pub fn table_width(is_whole: bool) -> Option<usize> {
    if is_whole { None } else { line_width(&io::stdout()) }
}

/// In how many columns a line has to fit there: in any number where that is no terminal, or one that counts as a file.
pub fn line_width(stream: &(impl IsTerminal + AsFd)) -> Option<usize> {
    can_redraw(stream).then(|| columns(stream))
}

/// As much of the text as a line takes that is redrawn: one that wraps could not be.
pub fn fit(text: &str, columns: usize) -> String {
    // Some terminals wrap a line that fills them.
    cut(text, columns.saturating_sub(1).max(1))
}

/// The text in lines of at most `width` columns if there is a width, all but the first indented by so many. Lines end
/// between words only, so that a word that is longer, such as a URL, can be copied.
pub fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let indent = " ".repeat(indent.min(width / 2));
    let options = textwrap::Options::new(width)
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    let lines = textwrap::fill(&replaced_in_times(text, ' ', NO_BREAK_SPACE), options);
    replaced_in_times(&lines, NO_BREAK_SPACE, ' ')
}

/// The text with another character between each date and its time of the day, as in `2026-11-22 14:03`.
fn replaced_in_times(text: &str, from: char, to: char) -> String {
    let is_like = |text: &str, pattern: &str| {
        let is = |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
        text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(is)
    };
    let replaced = |(at, character): (usize, char)| {
        let is_between = character == from
            && at.checked_sub(DATE.len()).and_then(|start| text.get(start..at)).is_some_and(|date| is_like(date, DATE))
            && text
                .get(at + from.len_utf8()..)
                .and_then(|rest| rest.get(..TIME.len()))
                .is_some_and(|time| is_like(time, TIME));
        if is_between { to } else { character }
    };
    text.char_indices().map(replaced).collect()
}

/// How many columns the text takes at most.
pub fn display_width(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// The text, or its beginning and `…`, in so many columns.
pub fn cut(text: &str, columns: usize) -> String {
    if display_width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |character: &char| {
        let rest = left.checked_sub(width(*character));
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{kept}…")
}

/// The most columns that a terminal gives the character. Some join characters to one that is narrower; none to one
/// that is wider.
fn width(character: char) -> usize {
    if character == PICTURE { 1 } else { character.width().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_wraps() {
        assert_eq!(fit("short", 80), "short");
        assert_eq!(fit("exactly ten", 11), "exactly t…");
        for (columns, expected) in [(0, "…"), (1, "…"), (2, "…"), (3, "a…")] {
            assert_eq!(fit("ab ab", columns), expected, "{columns} columns");
        }
    }

    #[test]
    fn a_line_is_cut_by_columns_whatever_the_script() {
        for (text, columns, expected) in [
            ("压测集群", 9, "压测集群"),
            ("压测集群", 8, "压测集…"),
            ("压测集群", 7, "压测…"),
            ("ａｂ", 4, "ａ…"),
            ("e\u{301}e\u{301}e\u{301}", 4, "e\u{301}e\u{301}e\u{301}"),
            ("ภาษาไทย", 9, "ภาษาไทย"),
            ("한국어", 6, "한국…"),
            // A family, as one picture or as four.
            ("👨\u{200d}👩\u{200d}👧\u{200d}👦", 6, "👨\u{200d}👩\u{200d}…"),
            ("❤\u{fe0f}❤\u{fe0f}", 4, "❤\u{fe0f}…"),
        ] {
            assert_eq!(fit(text, columns), expected, "{text} in {columns} columns");
        }
    }

    #[test]
    fn a_line_ends_between_words_and_never_within_one() {
        for (text, expected) in [
            ("the pre-production-like one", "the\npre-production-like\none"),
            ("see http://h:1/runs/7-a-b-c-d now", "see\nhttp://h:1/runs/7-a-b-c-d\nnow"),
            ("until 2026-11-22 14:03:00Z", "until\n  2026-11-22 14:03:00Z"),
            ("it is 2026-11-22 14 tests", "it is 2026-11-22 14\n  tests"),
            ("压测集群 压测集群 压测", "压测集群 压测集群\n  压测"),
            ("a word—and/or another", "a word—and/or\n  another"),
        ] {
            let expected = expected.replace("\n  ", "\n").replace('\n', "\n  ");
            assert_eq!(wrapped(text, 2, Some(20)), expected);
        }
        assert_eq!(wrapped("as it is", 2, None), "as it is");
    }

    #[test]
    fn a_terminal_that_says_nothing_of_itself_is_dumb() {
        for (name, expected) in [(None, true), (Some(""), true), (Some("dumb"), true), (Some("xterm-256color"), false)]
        {
            assert_eq!(is_dumb(name.map(OsStr::new)), expected, "{name:?}");
        }
    }
}
