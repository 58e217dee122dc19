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
