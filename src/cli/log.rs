//! What the server logs, and how.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::str::FromStr;
use std::{io, thread};

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::output::say;
use super::terminal;

/// What is logged under this name is logged whatever the filter says: panics, and why a server ends that cannot start.
const LAST_WORDS: &str = "perfreg::last_words";

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for what collects logs.
    Json,
}

/// The filter as it was given, once all of it has a meaning.
pub fn filter(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("give a level such as info, or a filter such as warn,perfreg=debug".to_owned());
    }
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.iter().try_for_each(|part| check(part))?;
    let text = parts.join(",");
    with_last_words(&text).map(|_| text).map_err(|error| format!("{error}; give a filter such as warn,perfreg=debug"))
}

/// One part of a filter. The library takes a word that is no level for the name of a module, of which nothing is logged.
fn check(part: &str) -> Result<(), String> {
    if part.contains('[') {
        return Err(format!("{part:?} names a span or a field; name modules only, as in perfreg=debug"));
    }
    let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
    if !level.is_empty() && LevelFilter::from_str(level).is_ok() {
        return Ok(());
    }
    Err(format!("{level:?} is no level; use error, warn, info, debug, trace or off, alone or as in perfreg=debug"))
}

/// The filter that lets the last words through as well.
fn with_last_words(filter: &str) -> Result<Targets, ParseError> {
    format!("{filter},{LAST_WORDS}=error").parse()
}

/// Starts the log on standard error.
pub fn start(filter: &str, format: Format) -> anyhow::Result<()> {
    let filter = with_last_words(filter)?;
    // The reader of the log may go away; that must not stop anything.
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(terminal::has_colors(&io::stderr()))
        .with_writer(io::stderr)
        .log_internal_errors(false);
    match format {
        Format::Text => log.finish().with(filter).init(),
        Format::Json => log.json().flatten_event(true).finish().with(filter).init(),
    }
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Says why the server ends that cannot start: to a person, or as one more object of the log.
pub fn say_last_words(text: &str, format: Format) {
    match format {
        Format::Text => say(text),
        Format::Json => tracing::error!(target: LAST_WORDS, "{text}"),
    }
}

/// What collects the log gets a panic as a line like all others, of the request in which it came.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let backtrace = Some(Backtrace::capture()).filter(|trace| trace.status() == BacktraceStatus::Captured);
    tracing::error!(
        target: LAST_WORDS,
        thread = thread.name(),
        at = panic.location().map(display),
        backtrace = backtrace.map(display),
        "panicked: {}",
        panic.payload_as_str().unwrap_or("without a text")
    );
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic while writing").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_one_object_of_the_log_whatever_the_filter_says() {
        for filter in ["off", "warn,perfreg=off", "info"] {
            let written = Written::default();
            let writer = written.clone();
            let log = tracing_subscriber::fmt()
                .with_max_level(LevelFilter::TRACE)
                .with_writer(move || writer.clone())
                .json()
                .flatten_event(true)
                .finish()
                .with(with_last_words(filter).expect("a filter"));
            let usual = panic::take_hook();
            panic::set_hook(Box::new(log_panic));
            let caught = with_default(log, || {
                tracing::error!(target: "perfreg::store", "an error that only a filter leaves out");
                panic::catch_unwind(|| panic!("a defect\nof two lines"))
            });
            panic::set_hook(usual);
            assert!(caught.is_err());
            let written = String::from_utf8(written.0.lock().expect("no panic while writing").clone()).expect("UTF-8");
            let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
            assert_eq!(lines.len(), if filter == "info" { 2 } else { 1 }, "{written}");
            let last = lines.last().expect("the panic");
            assert_eq!(
                (&last["level"], &last["message"]),
                (&"ERROR".into(), &"panicked: a defect\nof two lines".into())
            );
            assert!(last["at"].as_str().is_some_and(|at| at.contains("log.rs:")), "{last}");
        }
    }

    #[test]
    fn a_filter_is_a_level_or_names_one_for_each_module() {
        for text in ["info", "WARN", "off", "trace", "perfreg=debug,tower=info"] {
            assert_eq!(filter(text).as_deref(), Ok(text));
        }
        assert_eq!(filter(" warn, perfreg::store=debug,").as_deref(), Ok("warn,perfreg::store=debug"));
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_wherever_it_stands() {
        for (text, word) in [
            ("verbose", "verbose"),
            ("info,verbose", "verbose"),
            ("perfreg=verbose", "verbose"),
            ("perfreg", "perfreg"),
            ("warning", "warning"),
            ("info;debug", "info;debug"),
            ("perfreg=", ""),
        ] {
            let error = filter(text).expect_err(text);
            assert!(error.starts_with(&format!("{word:?} is no level; use error, warn, info")), "{error}");
        }
        for text in ["", " ", "=info=warn"] {
            assert!(filter(text).is_err(), "{text:?}");
        }
        let error = filter("info,perfreg[run{run_id}]=debug").expect_err("a span");
        assert!(error.contains("names a span or a field; name modules only"), "{error}");
    }
}
