//! `perfreg backup`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::copying;
use super::database::Database;
use super::output::write_line;
use super::{exit, output};
use crate::config::database::DatabaseUrl;
use crate::store;

const NOT_FOR_POSTGRESQL: &str = "backup is for SQLite; copy a PostgreSQL database with pg_dump --format=custom, or its whole server with \
     pg_basebackup";

const EXAMPLES: &str = "\
Examples:
  perfreg backup /backups/perfreg-$(date +%F).db
  perfreg backup --database sqlite:/var/lib/perfreg.db --force latest.db";

/// Copy the SQLite database into a file, while its server goes on.
#[derive(Args)]
#[command(before_help = EXAMPLES, after_long_help = copying::HELP)]
pub struct Backup {
    /// File to write; it appears once it is whole, checked and on the disk.
    to: PathBuf,
    #[command(flatten)]
    database: Database,
    /// Replace the file if it is there.
    #[arg(long, help_heading = "Output")]
    force: bool,
}

impl Backup {
    pub async fn run(self) -> ExitCode {
        let from = match self.database.url() {
            Ok(DatabaseUrl::Sqlite(path)) => path,
            Ok(DatabaseUrl::Postgres(_)) => return exit::wrong_command_line(NOT_FOR_POSTGRESQL),
            Err(error) => return exit::wrong_command_line(&format!("{error:#}")),
        };
        let (to, force) = (self.to, self.force);
        let shown = to.display().to_string();
        match copying::run(move |progress| store::backup(&from, &to, force, progress)).await {
            Ok(contents) => {
                let said = write_line(&format!("{shown} holds {}.", copying::describe(&contents)));
                said.map_or_else(|error| exit::fail(&error), |()| ExitCode::SUCCESS)
            }
            Err(error) => {
                output::say(&error.to_string());
                copying::exit_code(&error)
            }
        }
    }
}
