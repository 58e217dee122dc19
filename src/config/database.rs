//! Which database, and how many connections to it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::passwords::PasswordSources;
use super::postgres_url;

#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    pub url: DatabaseUrl,
    /// The most connections one server keeps to PostgreSQL.
    pub connections: usize,
    pub durability: Durability,
    /// For PostgreSQL.
    pub passwords: PasswordSources,
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// What the database is set to.
    #[default]
    Local,
    /// A synchronous standby of PostgreSQL has it; without one nothing is acknowledged.
    Standby,
}

/// Where the executions are kept. Printing it never shows a password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    #[error(
        "a database URL begins with sqlite: or postgresql://, as in sqlite:perfreg.db or postgresql://user@host/db"
    )]
    UnknownScheme,
    #[error("it begins with a quotation mark; leave the quotation marks out, since env files keep them")]
    Quoted,
    #[error("it has white space inside; percent-encode it (a space as %20)")]
    WhiteSpace,
    #[error("there is an @ too many; percent-encode one that belongs to the user, the password or the database as %40")]
    AtSign,
    #[error(
        "the port behind a host is not a number from 1 to 65535; if a password stands there, an @ is missing between it \
         and the host"
    )]
    Port,
    #[error(
        "the name of the database has a slash; leave it out, or percent-encode it as %2F if it belongs to the name"
    )]
    DatabaseName,
    #[error("it names no host; it looks like postgresql://USER@HOST/DATABASE")]
    NoHost,
    #[error("it names no user; it looks like postgresql://USER@HOST/DATABASE")]
    NoUser,
    #[error("an IPv6 address stands in brackets, as in [::1]:5432")]
    Brackets,
    #[error("{name}= is no parameter that is known here; {instead}")]
    Parameter { name: String, instead: &'static str },
    #[error("behind the question mark stands something else than NAME=VALUE; percent-encode a question mark as %3F")]
    NoParameter,
    #[error("the parameter {0} has no value; give it one, or leave it out")]
    NoValue(String),
    #[error("sqlite: takes the plain path of a file, without file: and without options after a question mark")]
    FileUri,
    #[error("sqlite: needs the path of a file, as in sqlite:perfreg.db")]
    NoFile,
    #[error(
        "an in-memory database would lose every execution when the server stops; name a file, as in sqlite:perfreg.db"
    )]
    InMemory,
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        // A mounted secret ends with a line break.
        let text = text.trim();
        if text.starts_with(['"', '\'']) {
            return Err(DatabaseUrlError::Quoted);
        }
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            return match path {
                "" => Err(DatabaseUrlError::NoFile),
                ":memory:" => Err(DatabaseUrlError::InMemory),
                path if path.contains('?') || path.starts_with("file:") => Err(DatabaseUrlError::FileUri),
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        let (scheme, rest) = text.split_once("://").ok_or(DatabaseUrlError::UnknownScheme)?;
        // SQLAlchemy, which the original system uses, writes postgresql+psycopg2://.
        if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) {
            return Err(DatabaseUrlError::UnknownScheme);
        }
        postgres_url::check(rest)?;
        Ok(Self::Postgres(format!("postgresql://{rest}")))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hides what stands between the first `:` and the last `@`, and the whole query, in which a
/// password may stand as well.
fn without_password(url: &str) -> String {
    let body = url.strip_prefix("postgresql://").unwrap_or(url);
    let (user, address) = match body.rsplit_once('@') {
        None => (String::new(), body),
        Some((user, address)) => match user.split_once(':') {
            None => (format!("{user}@"), address),
            Some((user, _)) => (format!("{user}:***@"), address),
        },
    };
    let (address, query) = address.split_once('?').map_or((address, ""), |(address, _)| (address, "?…"));
    format!("postgresql://{user}{address}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_of_a_url_is_understood() {
        for (text, shown) in [
            ("sqlite:perfreg.db", "sqlite:perfreg.db"),
            ("sqlite:///var/lib/perfreg.db", "sqlite:/var/lib/perfreg.db"),
            ("postgres://me@db/registry", "postgresql://me@db/registry"),
            ("postgresql+psycopg2://me@db/registry", "postgresql://me@db/registry"),
            (" postgresql://me@db/registry\r\n", "postgresql://me@db/registry"),
            ("sqlite:perfreg.db\n", "sqlite:perfreg.db"),
        ] {
            assert_eq!(text.parse::<DatabaseUrl>().map(|url| url.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn what_is_no_database_is_refused() {
        for text in [
            "",
            "perfreg.db",
            "mysql://db",
            "sqlite:",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:x?mode=memory",
            "sqlite:file:x",
            "\"postgresql://me@db/registry\"",
            "host=db user=me",
            "jdbc:postgresql://db/registry",
            "postgresql:me@db/registry",
        ] {
            assert!(text.parse::<DatabaseUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_error_shows_a_password() {
        for text in [
            "postgresql://me:s3@cret@db/registry",
            "postgresql://me:s3cret/registry",
            "postgresql://me:s3 cret@db/registry",
            "postgresql://db/registry?user=me&password=s3@cret",
            "postgresql://me@db/registry?s3-cret",
            "postgresql://me@db/registry?s3cret=x",
            "'postgresql://me:s3cret@db/registry'",
            "mysql://me:s3cret@db/registry",
        ] {
            let shown = text.parse::<DatabaseUrl>().expect_err("wrong").to_string();
            assert!(!shown.contains("s3") && !shown.contains("cret"), "{shown}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgresql://me:s3cret@db/registry",
            "postgresql://me:s3/cret@db/registry",
            "postgresql://me:s3cret@db1,db2/registry?sslmode=require",
            "postgresql://db/registry?user=me&password=s3cret",
            "postgresql://me:s3?cret@db/registry",
        ] {
            let url: DatabaseUrl = text.parse().expect("a valid URL");
            for shown in [url.to_string(), format!("{url:?}")] {
                assert!(!shown.contains("s3") && !shown.contains("cret"), "{shown}");
            }
        }
    }
}
