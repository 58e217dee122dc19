//! `perfreg restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::copying;
use super::database::Database;
use super::exit;
use super::output::{say, write_line};
use crate::clock;
use crate::config::database::DatabaseUrl;
use crate::store::{self, Restored};

const NOT_FOR_POSTGRESQL: &str =
    "restore is for SQLite; restore a PostgreSQL database with pg_restore, or its whole server from a base backup";

const EXAMPLES: &str = "\
Examples:
  perfreg restore /backups/perfreg-2026-11-28.db
  perfreg restore --database sqlite:/var/lib/perfreg.db latest.db";

/// Put a backup in the place of the SQLite database, while no server has it.
///
/// What was there is kept beside. No run_id and no fence that was given out since the backup is given out again, and leases
/// count from now.
#[derive(Args)]
#[command(before_help = EXAMPLES, after_long_help = copying::HELP)]
pub struct Restore {
    /// File that perfreg backup wrote; it stays as it is.
    from: PathBuf,
    #[command(flatten)]
    database: Database,
}

impl Restore {
    pub async fn run(self) -> ExitCode {
        let to = match self.database.url() {
            Ok(DatabaseUrl::Sqlite(path)) => path,
            Ok(DatabaseUrl::Postgres(_)) => return exit::wrong_command_line(NOT_FOR_POSTGRESQL),
            Err(error) => return exit::wrong_command_line(&format!("{error:#}")),
        };
        let from = self.from;
        let shown = to.display().to_string();
        match copying::run(move |progress| store::restore(&from, &to, clock::now(), progress)).await {
            Ok(Restored { contents, replaced, next_run_id }) => {
                let kept = replaced
                    .map_or_else(String::new, |path| format!("What was there is kept as {}.\n", path.display()));
                let contents = copying::describe(&contents);
                let said =
                    write_line(&format!("{shown} holds {contents}.\n{kept}The next run is {next_run_id} or later."));
                said.map_or_else(|error| exit::fail(&error), |()| ExitCode::SUCCESS)
            }
            Err(error) => {
                say(&error.to_string());
                copying::exit_code(&error)
            }
        }
    }
}
