//! Why a command did not do what it was asked to: for a person, for a script, and as an exit code.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use serde_json::{Value, json};

use super::exit;
use super::output::{say, write_line};
use crate::client::ClientError;

/// The kinds of problems that the client tells begin like this; those of the registry have another beginning.
const KIND: &str = "urn:perfreg:client:";

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The registry said no, or could not be asked.
    Client(ClientError),
    /// The command line was wrong.
    CommandLine(String),
    /// The test would wait for the run that it is inside of.
    WaitsForItself(String),
    WaitedInVain(String),
    /// Something of this machine does not work.
    Machine(String),
    /// A signal came, and everything was given back. The code says which one.
    Interrupted(u8),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl Failure {
    /// Says what went wrong, with `json` also as a document on the output, and picks the exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        if let Some(document) = self.document().filter(|_| json) {
            // Where the output cannot be written, the sentence below is all that is left.
            let _ = write_line(&document);
        }
        match self {
            Self::Client(error) => exit::fail(error),
            Self::CommandLine(what) => exit::wrong_command_line(what),
            Self::WaitsForItself(why) => exit::refuse_for_good(why),
            Self::WaitedInVain(why) => {
                say(why);
                ExitCode::from(exit::WAITED_IN_VAIN)
            }
            Self::Machine(what) => {
                say(what);
                ExitCode::FAILURE
            }
            Self::Interrupted(code) => ExitCode::from(*code),
        }
    }

    /// The registry's own answer if there is one, else a document of the same shape without a `status`.
    fn document(&self) -> Option<String> {
        let (kind, title) = match self {
            Self::Client(ClientError::Refused { body, .. }) => return Some(body.clone()),
            Self::Client(ClientError::Output(_)) | Self::Interrupted(_) => return None,
            Self::Client(ClientError::Url { .. } | ClientError::Options(_)) | Self::CommandLine(_) => {
                ("usage", "Wrong command line")
            }
            Self::Client(ClientError::Setup(_)) => ("setup", "The way to the registry is set up wrong"),
            Self::Client(ClientError::Denied(_)) => ("denied", "Not let through to the registry"),
            Self::Client(ClientError::Unreachable { .. }) => ("unreachable", "Registry cannot be reached"),
            Self::Client(ClientError::NotARegistry { .. }) => ("not-a-registry", "Not a registry"),
            Self::Client(ClientError::OldServer { .. }) => ("old-server", "Server is too old"),
            Self::WaitsForItself(_) => ("waits-for-itself", "Would wait for itself"),
            Self::WaitedInVain(_) => ("waited-in-vain", "Waited in vain"),
            Self::Machine(_) => ("machine", "Something of this machine does not work"),
        };
        Some(problem(kind, title, &self.detail()).to_string())
    }

    fn detail(&self) -> String {
        match self {
            Self::Client(error) => error.to_string(),
            Self::CommandLine(text) | Self::WaitsForItself(text) | Self::WaitedInVain(text) | Self::Machine(text) => {
                text.clone()
            }
            Self::Interrupted(_) => String::new(),
        }
    }
}

/// As RFC 9457 has it; `message` is what every answer of the registry has as well.
fn problem(kind: &str, title: &str, detail: &str) -> Value {
    json!({"type": format!("{KIND}{kind}"), "title": title, "detail": detail, "message": detail})
}

/// Prints what is wrong with a command line that could not be read, or the help that it asks for.
pub fn refuse_command_line(mut error: clap::Error, wants_json: bool) -> ExitCode {
    // Another program may have such a flag; a value of ours never looks like one.
    if let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) {
        let tips: Vec<_> = tips.iter().filter(|tip| !tip.to_string().starts_with("to pass")).cloned().collect();
        let useful = if tips.is_empty() { ContextValue::None } else { ContextValue::StyledStrs(tips) };
        error.insert(ContextKind::Suggested, useful);
    }
    if error.use_stderr() && wants_json {
        let _ = write_line(&problem("usage", "Wrong command line", &sentence(&error)).to_string());
    }
    // A reader that has gone changes nothing of what is wrong.
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// What is wrong, on one line and without the usage.
fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|part| text.find(part)).min();
    text[..end.unwrap_or(text.len())].split_whitespace().collect::<Vec<_>>().join(" ")
}
