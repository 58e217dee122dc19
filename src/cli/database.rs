//! Where the database is, for the commands that open it themselves.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::variables;
use crate::config::database::DatabaseUrl;
use crate::config::passwords::PasswordSources;

#[derive(Args)]
pub struct Database {
    /// sqlite:FILE or postgresql://USER:PASSWORD@HOST/DATABASE [env: PERFREG_DATABASE_URL, else
    /// DATABASE_URL] [default: sqlite:perfreg.db].
    #[arg(long, value_name = "URL", help_heading = "Database")]
    database: Option<String>,
}

impl Database {
    /// Read by hand: clap would repeat a wrong URL, and with it its password.
    pub fn url(&self) -> anyhow::Result<DatabaseUrl> {
        let variable = |name: &'static str| variables::text(name).map(|url| (name, url));
        let given = self
            .database
            .clone()
            .map(|url| ("--database", url))
            .or_else(|| ["PERFREG_DATABASE_URL", "DATABASE_URL"].into_iter().find_map(variable));
        match given {
            Some((name, url)) => url.parse().map(absolute).with_context(|| format!("{name} is wrong")),
            None => Ok(absolute(DatabaseUrl::Sqlite("perfreg.db".into()))),
        }
    }
}

/// With the whole path of a file, so that everything that is said of it says where it is.
fn absolute(url: DatabaseUrl) -> DatabaseUrl {
    match url {
        DatabaseUrl::Sqlite(path) => DatabaseUrl::Sqlite(std::path::absolute(&path).unwrap_or(path)),
        other @ DatabaseUrl::Postgres(_) => other,
    }
}

/// Where the password is looked for: in the file, and where PostgreSQL's own programs look.
pub fn password_sources(file: Option<PathBuf>) -> PasswordSources {
    let path = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    PasswordSources {
        file,
        variable: std::env::var("PGPASSWORD").ok().filter(|password| !password.is_empty()),
        passfile: path("PGPASSFILE").or_else(|| path("HOME").map(|home| home.join(".pgpass"))),
    }
}
