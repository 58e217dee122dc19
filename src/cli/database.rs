//! Where the database is, for the commands that open it themselves.

use anyhow::Context;
use clap::Args;

use super::variables;
use crate::config::database::DatabaseUrl;

#[derive(Args)]
pub struct Database {
    /// sqlite:FILE or postgresql://USER:PASSWORD@HOST/DATABASE [env: PERFREG_DATABASE_URL, else
    /// DATABASE_URL] [default: sqlite:perfreg.db].
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl Database {
    /// Read by hand: clap would repeat a wrong URL, and with it its password.
    pub fn url(self) -> anyhow::Result<DatabaseUrl> {
        let variable = |name: &'static str| variables::text(name).map(|url| (name, url));
        let given = self
            .database
            .map(|url| ("--database", url))
            .or_else(|| ["PERFREG_DATABASE_URL", "DATABASE_URL"].into_iter().find_map(variable));
        match given {
            Some((name, url)) => url.parse().with_context(|| format!("{name} is wrong")),
            None => Ok(DatabaseUrl::Sqlite("perfreg.db".into())),
        }
    }
}
