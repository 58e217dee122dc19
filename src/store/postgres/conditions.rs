//! A statement's conditions, as text with numbered parameters.

use tokio_postgres::types::{ToSql, Type};

/// A value that a statement is sent with, and its type.
pub type Parameter<'value> = (Box<dyn ToSql + Sync + Send + 'value>, Type);

/// As the driver takes them.
pub fn borrowed<'a>(parameters: &'a [Parameter<'_>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    parameters.iter().map(|(value, kind)| (&**value as &(dyn ToSql + Sync), kind.clone())).collect()
}

#[derive(Default)]
pub struct Conditions {
    conditions: Vec<String>,
    parameters: Vec<Parameter<'static>>,
}

impl Conditions {
    pub fn add(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// Takes a parameter, and gives what stands for it in the statement.
    pub fn parameter(&mut self, value: impl ToSql + Sync + Send + 'static, kind: Type) -> String {
        self.parameters.push((Box::new(value), kind));
        format!("${}", self.parameters.len())
    }

    pub fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        borrowed(&self.parameters)
    }

    /// What stands after WHERE.
    pub fn text(&self) -> String {
        if self.conditions.is_empty() { "true".to_owned() } else { self.conditions.join(" AND ") }
    }
}
