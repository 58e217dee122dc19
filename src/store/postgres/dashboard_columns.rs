//! The columns that dashboards of the original's successor read, filled with what clients send in fields of these names.
//!
//! The registry itself never reads them, so no registration may fail for their sake: a column of an adopted table that could
//! refuse a text is left empty, and so is one for a value that PostgreSQL cannot hold. What nobody could foresee, such as a
//! trigger or an index that is made meanwhile, lets the insertion fail, which is then made once more without the columns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use super::columns::Columns;
use super::error::{classify, reason};
use super::link::session::Session;
use super::rows::get;
use crate::domain::admission::Command;
use crate::domain::execution::Execution;
use crate::store::{Batch, StoreError};

const NAMES: [&str; 5] = ["execution_type", "script_version", "tool", "workers", "container_name"];
/// As long as any other text of an execution, so that it fits into an index that somebody has made.
const MOST_CHARACTERS: usize = 255;

/// Those of the columns that take whatever is sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DashboardColumns(Vec<DashboardColumn>);

#[derive(Debug, PartialEq, Eq)]
struct DashboardColumn {
    name: &'static str,
    kind: Kind,
    /// Whether an index has it as it is, which takes no long values.
    is_indexed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Text { most_characters: usize },
    Json,
    BinaryJson,
}

impl DashboardColumn {
    fn value(&self, sent: &RawValue) -> Option<String> {
        match self.kind {
            Kind::Text { most_characters } => text(sent, most_characters),
            // It cannot be cut as a text is.
            Kind::Json | Kind::BinaryJson => {
                json(sent).filter(|json| !self.is_indexed || json.chars().count() <= MOST_CHARACTERS)
            }
        }
    }
}

impl Kind {
    fn of(kind: &str, most_characters: Option<i32>) -> Option<Self> {
        let most_characters = most_characters.and_then(|most| usize::try_from(most).ok()).unwrap_or(MOST_CHARACTERS);
        match kind {
            "character varying" | "character" | "text" => {
                Some(Self::Text { most_characters: most_characters.min(MOST_CHARACTERS) })
            }
            "json" => Some(Self::Json),
            "jsonb" => Some(Self::BinaryJson),
            _ => None,
        }
    }
}

/// Takes the limits off texts such as `varchar(8)`, where no view uses the column; that writes no row.
pub async fn widen(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let sql = "SELECT attname::text FROM pg_attribute
                WHERE attrelid = to_regclass('test_executions') AND attname = ANY($1) AND NOT attisdropped
                  AND format_type(atttypid, NULL) = 'character varying' AND atttypmod <> -1";
    let narrow = transaction.query_typed(sql, &[(&&NAMES[..], Type::TEXT_ARRAY)]).await.map_err(classify)?;
    for row in &narrow {
        let name: &str = get(row, 0)?;
        transaction.batch_execute("SAVEPOINT widening").await.map_err(classify)?;
        let alter = format!("ALTER TABLE test_executions ALTER COLUMN {name} TYPE varchar");
        if let Err(error) = transaction.batch_execute(&alter).await {
            transaction.batch_execute("ROLLBACK TO SAVEPOINT widening").await.map_err(classify)?;
            let reason = reason(&error);
            tracing::info!("the column {name} stays as narrow as it is, and longer texts are cut there: {reason}");
        }
        transaction.batch_execute("RELEASE SAVEPOINT widening").await.map_err(classify)?;
    }
    Ok(())
}

/// Finds out which of the columns take whatever is sent: that have a type for it, and no rule of their own, such as a
/// constraint, an index that is unique, has conditions or computes something, a column that is computed of it, a trigger
/// or a policy. What depends on a column says so in the catalog.
pub async fn read(client: &Session) -> Result<DashboardColumns, StoreError> {
    let sql = "SELECT attname::text, format_type(atttypid, NULL), CASE WHEN atttypmod > 4 THEN atttypmod - 4 END,
                      attgenerated = '' AND attidentity = ''
                      AND NOT EXISTS (SELECT FROM pg_depend
                                       WHERE refclassid = 'pg_class'::regclass AND refobjid = attrelid AND refobjsubid = attnum
                                         AND (classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass)
                                              OR (classid = 'pg_constraint'::regclass
                                                  AND NOT EXISTS (SELECT FROM pg_constraint
                                                                   WHERE oid = objid AND contype = 'n'))
                                              OR (classid = 'pg_class'::regclass AND objid = attrelid AND objsubid <> attnum)
                                              OR (classid = 'pg_attrdef'::regclass
                                                  AND NOT EXISTS (SELECT FROM pg_attrdef WHERE oid = objid AND adnum = attnum))
                                              OR EXISTS (SELECT FROM pg_index
                                                          WHERE classid = 'pg_class'::regclass AND indexrelid = objid
                                                            AND (indisunique OR indexprs IS NOT NULL
                                                                 OR indpred IS NOT NULL)))),
                      EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid AND attnum = ANY(indkey))
                 FROM pg_attribute
                WHERE attrelid = to_regclass('test_executions') AND attname = ANY($1) AND NOT attisdropped
                ORDER BY attnum";
    let found = client.query_typed(sql, &[(&&NAMES[..], Type::TEXT_ARRAY)]).await.map_err(classify)?;
    let mut columns = Vec::with_capacity(NAMES.len());
    for row in &found {
        let name: &str = get(row, 0)?;
        if let (Some(name), Some(kind)) = (NAMES.into_iter().find(|known| *known == name), kind(row)?) {
            columns.push(DashboardColumn { name, kind, is_indexed: get(row, 4)? });
        } else {
            tracing::info!(
                "new rows leave the column {name} empty, since its type or a rule of its own could refuse what clients send; \
                 extra has it"
            );
        }
    }
    Ok(DashboardColumns(columns))
}

fn kind(row: &Row) -> Result<Option<Kind>, StoreError> {
    let is_free: bool = get(row, 3)?;
    Ok(if is_free { Kind::of(get(row, 1)?, get(row, 2)?) } else { None })
}

/// Which columns new rows fill.
pub struct Filling(Mutex<Arc<DashboardColumns>>);

impl Filling {
    pub fn new(columns: DashboardColumns) -> Self {
        Self(Mutex::new(Arc::new(columns)))
    }

    pub fn columns(&self) -> Arc<DashboardColumns> {
        Arc::clone(&self.lock())
    }

    /// Leaves columns out, since rows that had them were refused and the same rows without them were not. If the table
    /// shows `now` which columns take everything, these stay; if it shows the same as before, any of them may be the cause.
    pub fn note_refusal(
        &self,
        refused: &Arc<DashboardColumns>,
        reason: &str,
        now: Result<DashboardColumns, StoreError>,
    ) {
        let mut columns = self.lock();
        // Another transaction that was refused has seen to it.
        if !Arc::ptr_eq(&columns, refused) {
            return;
        }
        let left = now.ok().filter(|now| *now != **refused).unwrap_or_default();
        let names = if left.0.is_empty() { "none of these columns".to_owned() } else { left.names() };
        tracing::warn!(
            "PostgreSQL refuses new rows with the columns {}: {reason}; until this server starts again, new rows fill \
             {names}, and extra has all that clients send",
            refused.names()
        );
        *columns = Arc::new(left);
    }

    fn lock(&self) -> MutexGuard<'_, Arc<DashboardColumns>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DashboardColumns {
    /// Whether rows of the batch may fill any of them.
    pub fn may_be_filled_by(&self, batch: &Batch) -> bool {
        let mut commands = batch.lanes.iter().flat_map(|lane| &lane.commands);
        let is_sent = |command: &Command| match command {
            Command::Register(registration) => Sent::of(&registration.details.extra).is_some(),
            _ => false,
        };
        !self.0.is_empty() && commands.any(is_sent)
    }

    fn names(&self) -> String {
        self.0.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// Adds the columns, unless none of the executions has anything for them.
    pub fn add_to(&self, columns: &mut Columns<'_>, inserted: &[&Execution]) {
        let sent: Vec<Option<Sent<'_>>> = inserted.iter().map(|run| Sent::of(&run.details.extra)).collect();
        if sent.iter().all(Option::is_none) {
            return;
        }
        for column in &self.0 {
            let value = |sent: &Option<Sent<'_>>| column.value(sent.as_ref()?.field(column.name)?);
            columns.add_values(column.name, Type::TEXT_ARRAY, sent.iter().map(value).collect());
        }
    }

    /// How a value of the column stands in the statement, if it is one of these.
    pub fn expression(&self, name: &str) -> Option<String> {
        let column = self.0.iter().find(|column| column.name == name)?;
        Some(match column.kind {
            Kind::Text { .. } => name.to_owned(),
            Kind::Json => format!("{name}::json"),
            Kind::BinaryJson => format!("{name}::jsonb"),
        })
    }
}

/// What a client has sent for these columns, each in its own text.
#[derive(Deserialize)]
struct Sent<'extra> {
    #[serde(borrow)]
    execution_type: Option<&'extra RawValue>,
    script_version: Option<&'extra RawValue>,
    tool: Option<&'extra RawValue>,
    workers: Option<&'extra RawValue>,
    container_name: Option<&'extra RawValue>,
}

impl<'extra> Sent<'extra> {
    /// Nothing if there is nothing for any of them.
    fn of(extra: &'extra str) -> Option<Self> {
        // Most send nothing, which need not be taken apart.
        let sent: Self = NAMES.iter().any(|name| extra.contains(name)).then(|| serde_json::from_str(extra).ok())??;
        NAMES.iter().any(|name| sent.field(name).is_some()).then_some(sent)
    }

    fn field(&self, name: &str) -> Option<&'extra RawValue> {
        match name {
            "execution_type" => self.execution_type,
            "script_version" => self.script_version,
            "tool" => self.tool,
            "workers" => self.workers,
            "container_name" => self.container_name,
            _ => None,
        }
    }
}

/// A text as it is, and of anything else what was sent.
fn text(sent: &RawValue, most_characters: usize) -> Option<String> {
    let text = serde_json::from_str(sent.get()).unwrap_or_else(|_| sent.get().to_owned());
    (!text.contains('\0')).then(|| text.chars().take(most_characters).collect())
}

/// Written anew, since PostgreSQL's numbers do not reach as far as JSON's.
fn json(sent: &RawValue) -> Option<String> {
    let value: Value = serde_json::from_str(sent.get()).ok()?;
    (!has_nul(&value)).then(|| value.to_string())
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
