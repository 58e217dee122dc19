//! Takes over a database that the original system wrote.
//!
//! Its table stays the same table with the same rows; what this version cannot read as it is
//! gets a value that it can, and `extra` keeps the original one.

use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::error::classify;
use super::rows::get;
use crate::domain::history::readable_times;
use crate::store::StoreError;

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
}

impl Adopted {
    pub fn log(&self) {
        let Self { rows, renumbered, failed, unknown_statuses, later_columns } = self;
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
        let (failed, unknown_statuses) = count_statuses(transaction).await?;
        let rows = self.fill_in(transaction).await?;
        let renumbered = renumber(transaction).await?;
        for name in REQUIRED {
            execute(transaction, &format!("ALTER TABLE test_executions ALTER COLUMN {name} SET NOT NULL")).await?;
        }
        let later_columns = self.later_columns().collect::<Vec<_>>().join(" ");
        Ok(Adopted { rows, renumbered, failed, unknown_statuses, later_columns })
    }

    /// Takes away what would refuse our rows: columns that are required and not ours, numbers
    /// that only the database may give, and rules on the status.
    async fn drop_obstacles(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        for name in self.later_columns() {
            let alter = format!("ALTER TABLE test_executions ALTER COLUMN {} DROP NOT NULL", quoted(name));
            execute(transaction, &alter).await?;
        }
        if self.column("run_id").is_some_and(|column| column.is_identity) {
            execute(transaction, "ALTER TABLE test_executions ALTER COLUMN run_id DROP IDENTITY").await?;
        }
        let checks = transaction
            .query_typed(
                "SELECT conname::text
                   FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)
                  WHERE conrelid = 'test_executions'::regclass AND contype = 'c' AND attname = 'status'",
                &[],
            )
            .await
            .map_err(classify)?;
        for row in &checks {
            let drop = format!("ALTER TABLE test_executions DROP CONSTRAINT {}", quoted(get(row, 0)?));
            execute(transaction, &drop).await?;
        }
        Ok(())
    }

    /// Widens or converts a column that has another type, without touching one that fits.
    async fn convert_column(
        &self,
        transaction: &Transaction<'_>,
        name: &str,
        kind: &str,
        conversion: &str,
    ) -> Result<(), StoreError> {
        let Some(column) = self.column(name) else { return Ok(()) };
        let is_text = column.kind == "text" && kind == "character varying";
        if is_text || (column.kind == kind && !column.is_narrowed) {
            return Ok(());
        }
        let conversion = if column.kind == kind { name } else { conversion };
        // A default of the old type, such as that of an enumeration, cannot always be converted.
        let sql = format!(
            "ALTER TABLE test_executions ALTER COLUMN {name} DROP DEFAULT,
                                         ALTER COLUMN {name} TYPE {kind} USING {conversion}"
        );
        execute(transaction, "SAVEPOINT conversion").await?;
        match transaction.batch_execute(&sql).await {
            Ok(()) => execute(transaction, "RELEASE SAVEPOINT conversion").await,
            // An INTEGER run_id works as well until two thousand million; no reason to stop.
            Err(error) if name == "run_id" && error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {
                tracing::warn!("a view uses run_id, so the column stays an INTEGER");
                execute(transaction, "ROLLBACK TO SAVEPOINT conversion").await
            }
            Err(error) => Err(StoreError::Unsuitable(format!(
                "its column {name} must become {kind}, and PostgreSQL says: {}",
                error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
            ))),
        }
    }

    /// One pass over all rows. A factor with more digits than ours stays and counts rounded up.
    async fn fill_in(&self, transaction: &Transaction<'_>) -> Result<u64, StoreError> {
        let (earliest, latest) = readable_times();
        let known: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).chain(OURS).collect();
        transaction
            .execute_typed(
                "UPDATE test_executions AS run
                    SET repo = coalesce(repo, ''), lac = coalesce(lac, ''), stream = coalesce(stream, ''),
                        test = coalesce(test, ''), type = coalesce(type, ''),
                        environment = coalesce(environment, ''), triggered_by = coalesce(triggered_by, ''),
                        start_time = CASE WHEN start_time BETWEEN $2 AND $3 THEN start_time
                                          WHEN end_time BETWEEN $2 AND $3 THEN end_time ELSE now() END,
                        end_time = CASE WHEN end_time BETWEEN $2 AND $3 THEN end_time END,
                        location = nullif(location, ''),
                        status = CASE WHEN status IN ('running', 'success', 'failure', 'cancelled') THEN status
                                      ELSE 'failure' END,
                        factor = CASE WHEN factor::text IN ('NaN', 'Infinity', '-Infinity') THEN NULL
                                      ELSE factor END,
                        factor_millionths = CASE WHEN factor::text NOT IN ('NaN', 'Infinity', '-Infinity')
                                      THEN least(greatest(ceil(factor * 1000000), 0), 1000000000000)::bigint END,
                        extra = ((SELECT coalesce(jsonb_object_agg(key, value), '{}')
                                    FROM jsonb_each(to_jsonb(run) - $1) WHERE value <> 'null')
                            || CASE WHEN status IN ('running', 'success', 'failure', 'cancelled', 'failed') THEN '{}'
                                    ELSE jsonb_build_object('original_status', status) END
                            || CASE WHEN start_time BETWEEN $2 AND $3 THEN '{}'
                                    ELSE jsonb_build_object('original_start_time', start_time::text) END
                            || CASE WHEN end_time IS NULL OR end_time BETWEEN $2 AND $3 THEN '{}'
                                    ELSE jsonb_build_object('original_end_time', end_time::text) END
                            || CASE WHEN factor::text IN ('NaN', 'Infinity', '-Infinity')
                                    THEN jsonb_build_object('original_factor', factor::text) ELSE '{}' END)::json",
                &[(&known, Type::TEXT_ARRAY), (&earliest, Type::TIMESTAMPTZ), (&latest, Type::TIMESTAMPTZ)],
            )
            .await
            .map_err(classify)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn execute(transaction: &Transaction<'_>, sql: &str) -> Result<(), StoreError> {
    transaction.batch_execute(sql).await.map_err(classify)
}

/// How many rows have the status `failed`, and how many one that nobody knows.
async fn count_statuses(transaction: &Transaction<'_>) -> Result<(i64, i64), StoreError> {
    let row = transaction
        .query_typed_one(
            "SELECT count(*) FILTER (WHERE status = 'failed'),
                    count(*) FILTER (WHERE coalesce(status, '') NOT IN
                                     ('running', 'success', 'failure', 'cancelled', 'failed'))
               FROM test_executions",
            &[],
        )
        .await
        .map_err(classify)?;
    Ok((get(&row, 0)?, get(&row, 1)?))
}

/// Of executions that share a run_id the earliest keeps it; the others go on above the largest.
async fn renumber(transaction: &Transaction<'_>) -> Result<u64, StoreError> {
    transaction
        .execute_typed(
            "WITH ranked AS (
                 SELECT id, run_id, start_time,
                        row_number() OVER (PARTITION BY run_id ORDER BY start_time, id) AS place
                   FROM test_executions
             ), moved AS (
                 SELECT id, run_id AS original_run_id,
                        (SELECT coalesce(max(run_id), 0) FROM test_executions)
                            + row_number() OVER (ORDER BY start_time, id) AS run_id
                   FROM ranked
                  WHERE place > 1 OR run_id IS NULL
             )
             UPDATE test_executions AS run
                SET run_id = moved.run_id,
                    extra = (run.extra::jsonb || jsonb_build_object('original_run_id', moved.original_run_id))::json
               FROM moved
              WHERE run.id = moved.id",
            &[],
        )
        .await
        .map_err(classify)
}
