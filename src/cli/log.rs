//! What the server logs, and how.

use std::io;
use std::str::FromStr;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::terminal;

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
    parsed(&text).map(|_| text).map_err(|error| format!("{error}; give a filter such as warn,perfreg=debug"))
}

/// One part of a filter. The library takes a word that is no level for the name of a module, of which nothing is logged.
fn check(part: &str) -> Result<(), String> {
    let is_span = part.contains('[');
    let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
    if is_span || !level.is_empty() && LevelFilter::from_str(level).is_ok() {
        return Ok(());
    }
    Err(format!("{level:?} is no level; use error, warn, info, debug, trace or off, alone or as in perfreg=debug"))
}

fn parsed(filter: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::builder().parse(filter)
}

/// Starts the log on standard error.
pub fn start(filter: &str, format: Format) -> anyhow::Result<()> {
    // Whoever reads the log may go away; that must not stop anything.
    let log = tracing_subscriber::fmt()
        .with_env_filter(parsed(filter)?)
        .with_ansi(terminal::has_colors(&io::stderr()))
        .with_writer(io::stderr)
        .log_internal_errors(false);
    match format {
        Format::Text => log.init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_names_one_for_each_module() {
        for text in ["info", "WARN", "off", "trace", "perfreg=debug,tower=info", "[run{run_id=7}]=debug"] {
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
        for text in ["", " ", "[=info"] {
            assert!(filter(text).is_err(), "{text:?}");
        }
    }
}
