//! The command line: `serve`, thin clients of a server, and what is done to its database.

mod ask;
mod backup;
mod board;
mod cancel;
mod complete;
mod connection;
mod copying;
mod database;
mod descriptors;
mod duration;
mod events;
mod exclusive;
mod exit;
mod gate;
mod history;
mod locations;
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
mod variables;
mod wait;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// The performance test execution registry: who may run a load test now, where, and beside whom.
#[derive(Parser)]
#[command(version, max_term_width = 100, propagate_version = true, after_help = exit::HELP)]
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
    #[command(hide = true)]
    Guard(run::guard::Guard),
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let mut command = variables::without_blank_variables(Cli::command());
    let matches = command.get_matches_mut();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit());
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("perfreg: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let result = match cli.command {
            Command::Serve(command) => return command.run().await,
            Command::Run(command) => return command.run().await,
            Command::Guard(command) => return command.run().await,
            Command::Backup(command) => return command.run().await,
            Command::Restore(command) => return command.run().await,
            Command::Register(command) => return command.run().await,
            Command::Plan(command) => return command.run().await,
            Command::Wait(command) => return command.run().await,
            Command::Complete(command) => command.run().await,
            Command::Cancel(command) => command.run().await,
            Command::Status(command) => command.run().await,
            Command::Show(command) => command.run().await,
            Command::Watch(command) => command.run().await,
            Command::History(command) => command.run().await,
            Command::Events(command) => command.run().await,
            Command::Locations(command) => command.run().await,
            Command::Registry(command) => command.run().await,
        };
        result.map_or_else(|error| exit::fail(&error), |()| ExitCode::SUCCESS)
    })
}
