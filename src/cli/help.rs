//! How every help looks: what it does, examples, usage, and the flags under headings.

use clap::{ColorChoice, Command};

use super::terminal;

const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";
const HELP_HEADING: &str = "Help";

/// The command as it talks to people here.
pub fn arranged(command: Command) -> Command {
    let color = if terminal::may_have_colors() { ColorChoice::Auto } else { ColorChoice::Never };
    let mut command = command.color(color);
    command.build();
    one(command, true)
}

fn one(mut command: Command, is_root: bool) -> Command {
    // Written out, it names what is required, and not every flag that happens to have a value.
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    command
        .help_template(TEMPLATE)
        .override_usage(usage)
        .mut_args(|argument| match argument.get_id().as_str() {
            "help" => argument.help_heading(HELP_HEADING),
            "version" => argument.help_heading(HELP_HEADING).hide(!is_root),
            _ => argument,
        })
        .mut_subcommands(|command| one(command, false))
}

#[cfg(test)]
pub mod tests {
    use std::process::Command as Process;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// What follows the command of an example, and is none of its arguments.
    const ENDS: [&str; 5] = [" && ", " | ", " > ", " # ", ")"];

    /// As a shell hands it to the parser of the command line.
    pub fn assert_parses(example: &str) {
        let start = example.find("perfreg ").unwrap_or_else(|| panic!("no perfreg in {example}"));
        // A substitution has a parenthesis of its own.
        let ends = ENDS.iter().filter(|end| **end != ")" || example.starts_with("source <("));
        let end = ends.filter_map(|end| example.find(end)).min().unwrap_or(example.len());
        let script = format!("printf '%s\\0' {}", &example[start..end]);
        let shell = Process::new("sh").args(["-c", &script]).env("CI_JOB_STATUS", "success").output().expect("a shell");
        let words = String::from_utf8(shell.stdout).expect("UTF-8");
        let words: Vec<&str> = words.split_terminator('\0').collect();
        if words[1..] == ["COMMAND", "--help"] {
            return;
        }
        let parsed = Cli::command().try_get_matches_from(words);
        assert!(parsed.is_ok(), "{example}: {}", parsed.map(|_| ()).unwrap_err());
    }

    /// The examples of the command and of all below it, each on one line.
    fn examples(command: &Command) -> Vec<String> {
        let text = command.get_before_help().map(ToString::to_string).unwrap_or_default().replace("\\\n", "");
        let lines = text.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned);
        lines.collect::<Vec<_>>().into_iter().chain(command.get_subcommands().flat_map(examples)).collect()
    }

    #[test]
    fn every_example_of_a_help_can_be_typed_as_it_stands() {
        let all = examples(&Cli::command());
        assert!(all.len() > 40, "{all:?}");
        for example in &all {
            assert_parses(example);
        }
    }
}
