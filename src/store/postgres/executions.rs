//! Reads of executions.

use deadpool_postgres::Object;
use tokio_postgres::types::{ToSql, Type};

use super::error::classify;
use super::rows;
use crate::domain::execution::{Execution, RunId};
use crate::domain::history::{Cursor, Filter, Page};
use crate::store::StoreError;

pub async fn one(client: &Object, run_id: RunId) -> Result<Option<Execution>, StoreError> {
    let sql = format!("SELECT {} FROM test_executions WHERE run_id = $1", rows::EXECUTION_COLUMNS);
    let found = client.query_typed_opt(&sql, &[(&run_id.0, Type::INT8)]).await.map_err(classify)?;
    found.as_ref().map(rows::execution).transpose()
}

pub async fn page(client: &Object, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
    let query = PageQuery::new(filter, after, limit);
    let sql = format!(
        "SELECT {} FROM test_executions WHERE {} ORDER BY start_time DESC, run_id DESC LIMIT {}",
        rows::EXECUTION_COLUMNS,
        query.conditions.join(" AND "),
        query.limit
    );
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> =
        query.parameters.iter().map(|(value, kind)| (&**value as &(dyn ToSql + Sync), kind.clone())).collect();
    let found = client.query_typed(&sql, &parameters).await.map_err(classify)?;
    let executions = found.iter().map(rows::execution).collect::<Result<_, _>>()?;
    Ok(Page::cut(executions, limit))
}

/// What stands in the statement beside the columns, as text with numbered parameters.
struct PageQuery {
    conditions: Vec<String>,
    parameters: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
    limit: String,
}

impl PageQuery {
    fn new(filter: &Filter, after: Option<Cursor>, limit: usize) -> Self {
        let mut all = Self { conditions: vec!["true".to_owned()], parameters: Vec::new(), limit: String::new() };
        for (field, pattern) in &filter.patterns {
            let (field, like) = (field.as_str(), all.parameter(pattern.to_like(), Type::TEXT));
            all.conditions.push(format!(
                "{field} IN (SELECT term FROM perfreg_terms WHERE field = '{field}' AND folded LIKE {like} ESCAPE '\\')"
            ));
        }
        if let Some(status) = filter.status {
            // Spelled out, so that the planner sees that the index of the running ones will do.
            all.conditions.push(format!("status = '{status}'"));
        }
        if let Some(from) = filter.from {
            let from = all.parameter(from, Type::TIMESTAMPTZ);
            all.conditions.push(format!("start_time >= {from}"));
        }
        if let Some(to) = filter.to {
            let to = all.parameter(to, Type::TIMESTAMPTZ);
            all.conditions.push(format!("start_time < {to}"));
        }
        if let Some(after) = after {
            let start_time = all.parameter(after.start_time, Type::TIMESTAMPTZ);
            let run_id = all.parameter(after.run_id.0, Type::INT8);
            all.conditions.push(format!("(start_time, run_id) < ({start_time}, {run_id})"));
        }
        all.limit = all.parameter(limit as i64 + 1, Type::INT8);
        all
    }

    fn parameter(&mut self, value: impl ToSql + Sync + Send + 'static, kind: Type) -> String {
        self.parameters.push((Box::new(value), kind));
        format!("${}", self.parameters.len())
    }
}
