//! A database for each test: a file of its own, or a PostgreSQL database of its own.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use perfreg::clock::Clock;
use perfreg::config::database::{DatabaseConfig, DatabaseUrl, Durability};
use perfreg::config::passwords::PasswordSources;
use perfreg::store::{self, Store};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// An empty database, dropped with the test.
pub struct TestDatabase {
    pub url: String,
    /// The same database's, but for a pooler that may stand before it.
    pub direct_url: String,
    _directory: Option<TempDir>,
}

impl TestDatabase {
    pub async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let directory = TempDir::new().expect("a temporary directory");
                let url = format!("sqlite:{}", directory.path().join("perfreg.db").display());
                Self { direct_url: url.clone(), url, _directory: Some(directory) }
            }
            Engine::Postgres => {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                let (server, direct) = (postgres_url(), direct_postgres_url());
                let statement = format!("CREATE DATABASE {name} TEMPLATE template0");
                connect(&direct).await.batch_execute(&statement).await.expect("a new database");
                let named = |server: &str| {
                    let (address, _) = server.rsplit_once('/').expect("the URL names a database");
                    format!("{address}/{name}")
                };
                Self { url: named(&server), direct_url: named(&direct), _directory: None }
            }
        }
    }

    /// The SQLite file at this path, which stays.
    pub fn at(path: &Path) -> Self {
        let url = format!("sqlite:{}", path.display());
        Self { direct_url: url.clone(), url, _directory: None }
    }

    /// The SQLite file.
    pub fn path(&self) -> &Path {
        Path::new(self.url.strip_prefix("sqlite:").expect("a SQLite database"))
    }

    pub fn config(&self) -> DatabaseConfig {
        DatabaseConfig {
            url: DatabaseUrl::from_str(&self.url).expect("a database URL"),
            connections: 8,
            durability: Durability::Local,
            passwords: PasswordSources::default(),
        }
    }

    /// The database as this program opens it.
    pub async fn store(&self, clock: Clock) -> Arc<dyn Store> {
        let store = store::open(&self.config(), clock).expect("a usable configuration");
        store.prepare().await.expect("a usable database");
        store
    }

    /// The PostgreSQL database as somebody else sees it.
    pub async fn connect(&self) -> Client {
        connect(&self.direct_url).await
    }

    /// The SQLite file as somebody else sees it.
    pub fn open_file(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).expect("a database file")
    }
}

/// Runs statements as somebody else.
pub async fn execute(database: &TestDatabase, sql: &str) {
    if database.url.starts_with("sqlite:") {
        database.open_file().execute_batch(sql).expect("valid SQL");
    } else {
        database.connect().await.batch_execute(sql).await.expect("valid SQL");
    }
}

/// The server that `./test` started.
pub fn postgres_url() -> String {
    std::env::var("PERFREG_TEST_POSTGRES_URL").expect(
        "PERFREG_TEST_POSTGRES_URL is not set: run ./test, which starts a PostgreSQL for the tests, or set it to the URL \
         of one whose user may create databases",
    )
}

/// The same server's, if a pooler stands before it.
pub fn direct_postgres_url() -> String {
    std::env::var("PERFREG_TEST_POSTGRES_DIRECT_URL").unwrap_or_else(|_| postgres_url())
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(connection);
    client
}

/// Runs each test once on SQLite and once on PostgreSQL.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($database:ident: &TestDatabase) $body:block)+) => {
        $($(#[$attribute])* async fn $name($database: &$crate::support::database::TestDatabase) $body)+

        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                use $crate::support::database::{Engine, TestDatabase};
                super::$name(&TestDatabase::new(Engine::Sqlite).await).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                use $crate::support::database::{Engine, TestDatabase};
                super::$name(&TestDatabase::new(Engine::Postgres).await).await;
            })+
        }
    };
}
