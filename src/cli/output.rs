//! Sentences for people, JSON for scripts.

use std::fmt::Display;
use std::io::{self, Write};

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::terminal::{line_width, table_width, wrapped};
use crate::client::{Answer, ClientError};

pub struct Output {
    pub json: bool,
}

impl Output {
    /// Prints the server's JSON as it is, or what `for_people` makes of it.
    pub fn print<T: serde::de::DeserializeOwned>(
        &self,
        answer: &Answer,
        for_people: impl FnOnce(T) -> String,
    ) -> Result<(), ClientError> {
        let text = if self.json { answer.json().to_owned() } else { for_people(answer.read()?) };
        write_line(text.trim_end())
    }

    /// As [`Self::print`], of sentences, whose lines end between words on a terminal.
    pub fn tell<T: serde::de::DeserializeOwned>(
        &self,
        answer: &Answer,
        for_people: impl FnOnce(T) -> String,
    ) -> Result<(), ClientError> {
        self.print(answer, |answer| in_lines(&for_people(answer)))
    }
}

/// A sentence in lines that fit the terminal that the output goes to, if it is one.
pub fn in_lines(sentence: &str) -> String {
    wrapped(sentence, 0, table_width(false))
}

/// Tells a person something beside the output. Whoever reads it may have gone; that stops nothing.
pub fn say(text: &str) {
    let text = wrapped(&format!("perfreg: {}", printable(text)), 0, line_width(&io::stderr()));
    // At once, so that what the command prints cannot come in between.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// An error without its full stop, so that more of the sentence can follow.
pub fn clause(error: &impl Display) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

/// Tells a person what the registry remarks on in an answer, if it does.
pub fn remark(answer: &Answer) {
    #[derive(serde::Deserialize)]
    struct Remarked {
        #[serde(default)]
        remarks: Vec<String>,
    }
    let remarked = answer.read().unwrap_or(Remarked { remarks: Vec::new() });
    for remark in &remarked.remarks {
        say(remark);
    }
}

/// A reader that has seen enough, such as head, closes the pipe; that is no failure.
pub fn write_line(text: &str) -> Result<(), ClientError> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(ClientError::Output(error)),
        _ => Ok(()),
    }
}

/// Whether it is control, changes how the text beside it is shown, as marks of direction do, or begins a new line or
/// paragraph, which a terminal may follow.
fn is_hidden(character: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    let hides = matches!(character.general_category(), Control | Format | LineSeparator | ParagraphSeparator);
    hides && !matches!(character, '\u{200C}' | '\u{200D}')
}

/// What a terminal shows as it is; an adopted database may hold anything.
pub fn printable(text: &str) -> String {
    text.chars().map(|character| if is_hidden(character) { '\u{fffd}' } else { character }).collect()
}
