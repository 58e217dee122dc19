//! The command line: `serve`, thin clients of a server, and what is done to its database.

mod announcement;
mod ask;
mod backup;
mod board;
mod by;
mod cancel;
mod complete;
mod completions;
mod connection;
mod copying;
mod database;
mod descriptors;
mod duration;
mod events;
mod exclusive;
mod exit;
mod failure;
mod future;
mod gate;
mod help;
mod history;
mod known;
mod local_time;
mod locations;
mod log;
mod manual;
mod millionths;
mod nested;
mod output;
mod past;
mod plan;
mod register;
mod registration;
mod registry;
mod restore;
mod run;
mod runs;
mod serve;
mod show;
mod status;
mod table;
mod terminal;
mod user;
mod values;
mod variables;
mod wait;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::failure::{Failure, refuse_command_line};
use self::output::write_line;

const EXAMPLES: &str = "\
Examples:
  perfreg serve
  perfreg run --repo demo --stream main --location demo --factor 0.4 -- sleep 30
  perfreg status
  perfreg COMMAND --help";

/// The performance test execution registry: who may run a load test now, where, and beside whom.
#[derive(Parser)]
#[command(version, max_term_width = 80, propagate_version = true, before_help = EXAMPLES, after_long_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Run(Box<run::Run>),
    Register(Box<register::Register>),
    Complete(complete::Complete),
    Cancel(cancel::Cancel),
    Plan(Box<plan::Plan>),
    Wait(wait::Wait),
    Status(status::Status),
    Show(show::Show),
    Watch(watch::Watch),
    History(Box<history::History>),
    Events(events::Events),
    Locations(locations::Locations),
    Registry(registry::Registry),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Completions(completions::Completions),
    Manual(manual::Manual),
    /// Print the version.
    Version,
    #[command(hide = true)]
    Guard(run::guard::Guard),
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let mut command = help::arranged(variables::without_blank_variables(Cli::command()));
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) => return refuse_command_line(error, asks_for_json(std::env::args_os())),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse_command_line(error.format(&mut command), has_json(&matches)),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::Machine(format!("cannot start: {error}")).report(has_json(&matches)),
    };
    runtime.block_on(run(cli.command)).unwrap_or_else(|failure| failure.report(has_json(&matches)))
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(command) => return Ok(command.run().await),
        Command::Run(command) => return Ok(Box::pin(command.run()).await),
        Command::Guard(command) => return Ok(command.run().await),
        Command::Backup(command) => return Ok(command.run().await),
        Command::Restore(command) => return Ok(command.run().await),
        Command::Register(command) => return command.run().await,
        Command::Plan(command) => return command.run().await,
        Command::Wait(command) => return command.run().await,
        Command::Complete(command) => command.run().await?,
        Command::Cancel(command) => command.run().await?,
        Command::Status(command) => command.run().await?,
        Command::Show(command) => command.run().await?,
        Command::Watch(command) => command.run().await?,
        Command::History(command) => command.run().await?,
        Command::Events(command) => command.run().await?,
        Command::Locations(command) => command.run().await?,
        Command::Registry(command) => command.run().await?,
        Command::Completions(command) => command.run(Cli::command())?,
        Command::Manual(command) => command.run(&help::arranged(Cli::command()))?,
        Command::Version => write_line(concat!("perfreg ", env!("CARGO_PKG_VERSION")))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the command, or one below it, was given --json.
fn has_json(matches: &ArgMatches) -> bool {
    let here = matches.try_get_one("json").ok().flatten().copied().unwrap_or_default();
    here || matches.subcommand().is_some_and(|(_, matches)| has_json(matches))
}

/// As [`has_json`], of a command line that could not be read.
fn asks_for_json(arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.take_while(|argument| argument != "--").any(|argument| argument == "--json")
}
