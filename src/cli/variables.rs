//! Variables of the environment that stand in for flags.

use std::ffi::OsStr;

use clap::builder::StyledStr;
use clap::{Arg, Command};

/// The command in which a variable that is set to nothing counts as not set.
///
/// CI systems and compose files set a variable without a value to an empty text, which clap takes as a value.
pub fn without_blank_variables(command: Command) -> Command {
    without_variables(command, &|name| std::env::var_os(name).is_some_and(|value| is_blank(&value)))
}

/// The variable's text, if it says anything.
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !is_blank(OsStr::new(value)))
}

/// White space alone is nothing as well; a YAML block leaves a line break behind.
fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|text| text.trim().is_empty())
}

fn without_variables(command: Command, is_unset: &impl Fn(&OsStr) -> bool) -> Command {
    let unset =
        |argument: Arg| if argument.get_env().is_some_and(is_unset) { without_variable(argument) } else { argument };
    command.mut_args(unset).mut_subcommands(|command| without_variables(command, is_unset))
}

/// The argument without its variable, which its help goes on to name.
fn without_variable(argument: Arg) -> Arg {
    let name = argument.get_env().unwrap_or_default().to_string_lossy().into_owned();
    let value = if argument.is_hide_env_values_set() { "" } else { "=" };
    let with_name = |help: &StyledStr| StyledStr::from(format!("{help} [env: {name}{value}]"));
    let help = argument.get_help().map(with_name);
    let long_help = argument.get_long_help().map(with_name);
    let argument = argument.env(None::<&str>).help(help.unwrap_or_default());
    match long_help {
        Some(long_help) => argument.long_help(long_help),
        None => argument,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// Every argument that has a variable, with the path of its subcommand.
    fn variables(command: &Command) -> Vec<String> {
        let own = command
            .get_arguments()
            .filter_map(|argument| Some(format!("{} {}", command.get_name(), argument.get_env()?.to_string_lossy())));
        own.chain(command.get_subcommands().flat_map(variables)).collect()
    }

    fn helps(mut command: Command) -> Vec<String> {
        let subcommands: Vec<Command> = command.get_subcommands().cloned().collect();
        // In the long help the variable stands on a line of its own, behind the values.
        let long = command.render_long_help().to_string();
        let mut words: Vec<&str> = long.split_whitespace().collect();
        words.sort_unstable();
        let own = format!("{}{}", command.render_help(), words.join(" "));
        std::iter::once(own).chain(subcommands.into_iter().flat_map(helps)).collect()
    }

    #[test]
    fn a_blank_variable_is_unset_for_every_argument_that_has_one() {
        let command = Cli::command();
        assert!(variables(&command).len() > 30, "{:?}", variables(&command));
        assert_eq!(variables(&without_variables(command, &|_| true)), Vec::<String>::new());
    }

    #[test]
    fn the_help_names_a_variable_that_is_blank_as_well() {
        assert_eq!(helps(without_variables(Cli::command(), &|_| true)), helps(Cli::command()));
    }

    #[test]
    fn white_space_says_nothing() {
        for blank in ["", " ", "\n", " \t\r\n"] {
            assert!(is_blank(OsStr::new(blank)), "{blank:?}");
        }
        assert!(!is_blank(OsStr::new("0")));
    }
}
