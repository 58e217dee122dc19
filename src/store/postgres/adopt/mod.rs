//! Takes over a database that the original system wrote.
//!
//! Its table stays the same table with the same rows; what this version cannot read as it is
//! gets a value that it can, and `extra` keeps the original one.

mod capacities;
mod columns;
mod rows;

use tokio_postgres::Transaction;

use super::error::classify;
use super::rows::get;
use crate::store::StoreError;
use capacities::Capacities;
pub use columns::allow_missing;

/// The columns of the original, each with the type it must have and how to turn it into that.
const COLUMNS: [(&str, &str, &str); 15] = [
    ("id", "uuid", "id::uuid"),
    ("run_id", "bigint", "run_id::bigint"),
    ("repo", "character varying", "repo::varchar"),
    ("lac", "character varying", "lac::varchar"),
    ("stream", "character varying", "stream::varchar"),
    ("test", "character varying", "test::varchar"),
    ("type", "character varying", "type::varchar"),
    ("environment", "character varying", "environment::varchar"),
    ("triggered_by", "character varying", "triggered_by::varchar"),
    ("status", "character varying", "status::varchar"),
    ("start_time", "timestamp with time zone", "start_time AT TIME ZONE 'UTC'"),
    ("end_time", "timestamp with time zone", "end_time AT TIME ZONE 'UTC'"),
    ("factor", "numeric", "factor::numeric"),
    ("dashboard_url", "character varying", "dashboard_url::varchar"),
    ("location", "character varying", "location::varchar"),
];
const REQUIRED: [&str; 11] =
    ["id", "run_id", "repo", "lac", "stream", "test", "type", "environment", "triggered_by", "status", "start_time"];
/// The columns that the first migration expects beside the original ones.
const OURS: [&str; 2] = ["factor_millionths", "extra"];
/// The columns that later migrations add. A table that has one of them already is not adopted.
const LATER: [&str; 18] = [
    "priority",
    "queued_at",
    "wait_until",
    "heard_at",
    "noted_at",
    "tell_by",
    "lease_seconds",
    "lease_token_hash",
    "lease_expires_at",
    "suspect",
    "fence",
    "stop_reason",
    "stop_by",
    "stop_at",
    "end_reason",
    "version",
    "expected_seconds",
    "profile",
];

/// The table of the original system, as it was found.
pub struct Original {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    /// The type without its modifier, so `timestamp with time zone` for a `timestamptz(3)`.
    kind: String,
    /// Whether the type is narrowed, as `varchar(50)` or `numeric(5,2)` are.
    is_narrowed: bool,
    is_identity: bool,
}

/// What was done, for the log.
#[derive(Debug)]
pub struct Adopted {
    rows: u64,
    renumbered: u64,
    failed: i64,
    unknown_statuses: i64,
    later_columns: String,
    capacities: Capacities,
}

impl Adopted {
    /// Once our own tables are there.
    pub async fn bring_capacities(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        self.capacities = capacities::bring(transaction).await?;
        Ok(())
    }

    pub fn log(&self) {
        let Self { rows, renumbered, failed, unknown_statuses, later_columns, capacities } = self;
        tracing::info!("adopted the original registry's database with {rows} executions");
        if *renumbered > 0 {
            tracing::info!(
                "{renumbered} shared a run_id and got one above the largest; extra.original_run_id has the old one"
            );
        }
        if *failed > 0 {
            tracing::info!("{failed} had the status failed, which is failure now");
        }
        if *unknown_statuses > 0 {
            tracing::info!(
                "{unknown_statuses} had an unknown status, which is failure now; extra.original_status has the old one"
            );
        }
        if !later_columns.is_empty() {
            tracing::info!("copied into extra, and no longer required: {later_columns}");
        }
        capacities.log();
    }
}

/// The schema in which the name `test_executions` is found, if it is. Everything of ours belongs
/// beside it, even where another schema would come first.
pub async fn find_schema(transaction: &Transaction<'_>) -> Result<Option<String>, StoreError> {
    let found = transaction
        .query_typed_opt(
            "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('test_executions')",
            &[],
        )
        .await
        .map_err(classify)?;
    found.as_ref().map(|row| get(row, 0)).transpose()
}

/// Looks at the original's table in a database that holds none of ours yet.
pub async fn find_original(transaction: &Transaction<'_>) -> Result<Option<Original>, StoreError> {
    let rows = transaction
        .query_typed(
            "SELECT attname::text, format_type(atttypid, NULL), atttypmod <> -1, attidentity <> ''
               FROM pg_attribute
              WHERE attrelid = to_regclass('test_executions') AND attnum > 0 AND NOT attisdropped
              ORDER BY attnum",
            &[],
        )
        .await
        .map_err(classify)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let column = |row| {
        Ok(Column { name: get(row, 0)?, kind: get(row, 1)?, is_narrowed: get(row, 2)?, is_identity: get(row, 3)? })
    };
    let original = Original { columns: rows.iter().map(column).collect::<Result<Vec<_>, StoreError>>()? };
    original.check()?;
    Ok(Some(original))
}

impl Original {
    fn check(&self) -> Result<(), StoreError> {
        let missing: Vec<&str> =
            COLUMNS.iter().map(|(name, ..)| *name).filter(|name| self.column(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(StoreError::Unsuitable(format!(
                "the table test_executions in this database lacks the column(s) {}, so it is not the registry's; use \
                 another database or schema",
                missing.join(", ")
            )));
        }
        if let Some(name) = OURS.iter().chain(&LATER).find(|name| self.column(name).is_some()) {
            return Err(StoreError::Unsuitable(format!(
                "the table test_executions has a column {name} that the original registry did not have and that this one needs; rename it \
                 first"
            )));
        }
        Ok(())
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that only later versions of the original have.
    fn later_columns(&self) -> impl Iterator<Item = &str> {
        let known = |name: &str| COLUMNS.iter().any(|(known, ..)| *known == name);
        self.columns.iter().map(|column| column.name.as_str()).filter(move |name| !known(name))
    }

    /// Gives the table the shape that the first migration expects.
    pub async fn reshape(&self, transaction: &Transaction<'_>) -> Result<Adopted, StoreError> {
        let explain = |error: StoreError| match error {
            StoreError::Broken(reason) | StoreError::Unsuitable(reason) => StoreError::Unsuitable(format!(
                "cannot adopt the table test_executions: {reason}. Nothing was changed; mend that and start again"
            )),
            other => other,
        };
        self.try_reshape(transaction).await.map_err(explain)
    }

    async fn try_reshape(&self, transaction: &Transaction<'_>) -> Result<Adopted, StoreError> {
        // Times without a zone were UTC, and none may pass through the server's own zone.
        execute(transaction, "LOCK TABLE test_executions IN ACCESS EXCLUSIVE MODE; SET LOCAL timezone = 'UTC'").await?;
        self.drop_obstacles(transaction).await?;
        for (name, kind, conversion) in COLUMNS {
            self.convert_column(transaction, name, kind, conversion).await?;
        }
        execute(
            transaction,
            "ALTER TABLE test_executions ADD COLUMN factor_millionths BIGINT, ADD COLUMN extra JSON NOT NULL DEFAULT '{}'",
        )
        .await?;
        let (failed, unknown_statuses) = rows::count_statuses(transaction).await?;
        let rows = self.fill_in(transaction).await?;
        let renumbered = rows::renumber(transaction).await?;
        for name in REQUIRED {
            execute(transaction, &format!("ALTER TABLE test_executions ALTER COLUMN {name} SET NOT NULL")).await?;
        }
        let later_columns = self.later_columns().collect::<Vec<_>>().join(" ");
        let capacities = Capacities::default();
        Ok(Adopted { rows, renumbered, failed, unknown_statuses, later_columns, capacities })
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn execute(transaction: &Transaction<'_>, sql: &str) -> Result<(), StoreError> {
    transaction.batch_execute(sql).await.map_err(classify)
}
