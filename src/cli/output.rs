//! Tables on a terminal, JSON for scripts.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use jiff::{SignedDuration, Timestamp};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::client::{Answer, ClientError};
use crate::wire::execution::{Execution, ExecutionStatus};

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

    /// Prints the whole answer of a server that said no, for a script that reads it.
    pub fn print_refusal(&self, error: &ClientError) -> Result<(), ClientError> {
        match error {
            ClientError::Refused { body, .. } if self.json => write_line(body),
            _ => Ok(()),
        }
    }
}

/// Tells a person something beside the output. Whoever reads it may have gone; that stops nothing.
pub fn say(text: &str) {
    // At once, so that what the command prints cannot come in between.
    let _ = io::stderr().write_all(format!("perfreg: {}\n", printable(text)).as_bytes());
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

/// A table in plain columns, fitted to the terminal if there is one.
pub fn table<const N: usize>(header: [&str; N], right_aligned: &[usize], rows: Vec<[String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    for index in right_aligned {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

pub fn executions_table(executions: &[Execution], now: Timestamp) -> String {
    let header =
        ["RUN", "STATUS", "TEST", "TYPE", "ENVIRONMENT", "STREAM", "LOCATION", "FACTOR", "BY", "STARTED", "DURATION"];
    let row = |execution: &Execution| {
        [
            execution.run_id.to_string(),
            status(execution),
            execution.test.clone(),
            execution.r#type.clone(),
            execution.environment.clone(),
            execution.stream.clone(),
            execution.location.clone().unwrap_or_else(|| "-".to_owned()),
            execution.factor.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            execution.triggered_by.clone(),
            execution.start_time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            duration(execution, now),
        ]
    };
    table(header, &[0, 7], executions.iter().map(row).collect())
}

/// The status, and what it alone does not say.
fn status(execution: &Execution) -> String {
    let remark = match execution.status {
        ExecutionStatus::Running if execution.suspect => " (suspect)",
        ExecutionStatus::Running if execution.overdue => " (overdue)",
        ExecutionStatus::Running if execution.stop.is_some() => " (stopping)",
        _ => "",
    };
    format!("{}{remark}", execution.status)
}

fn duration(execution: &Execution, now: Timestamp) -> String {
    let end = execution.end_time.unwrap_or(now);
    let whole_seconds = end.duration_since(execution.start_time).as_secs().max(0);
    format!("{:#}", SignedDuration::from_secs(whole_seconds))
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
