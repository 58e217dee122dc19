//! Columns of many executions, as arrays that one statement unnests.

use tokio_postgres::types::{ToSql, Type};

use super::conditions::{Parameter, borrowed};
use crate::domain::execution::Execution;

pub struct Columns<'run> {
    runs: Vec<&'run Execution>,
    /// Whether a column in which all have the default is left to the table.
    leaves_out_defaults: bool,
    names: Vec<&'static str>,
    values: Vec<Parameter<'run>>,
}

impl<'run> Columns<'run> {
    /// For new rows, in which the table fills in what is left out.
    pub fn to_insert(runs: Vec<&'run Execution>) -> Self {
        Self { runs, leaves_out_defaults: true, names: Vec::new(), values: Vec::new() }
    }

    /// For rows that are there, in which everything is written.
    pub fn to_update(runs: Vec<&'run Execution>) -> Self {
        Self { leaves_out_defaults: false, ..Self::to_insert(runs) }
    }

    /// Adds a column with a value of each execution.
    pub fn add<T: ToSql + Sync + Send + 'run>(
        &mut self,
        name: &'static str,
        kind: Type,
        read: impl Fn(&'run Execution) -> T,
    ) {
        let values: Vec<T> = self.runs.iter().copied().map(read).collect();
        self.add_values(name, kind, values);
    }

    /// As [`Self::add`], for one in which most have what is the table's default. Plain tests that
    /// neither wait nor have a lease need half of the columns only.
    pub fn add_unless_default<T: ToSql + Sync + Send + PartialEq + 'run>(
        &mut self,
        name: &'static str,
        kind: Type,
        default: T,
        read: impl Fn(&'run Execution) -> T,
    ) {
        if !self.leaves_out_defaults || self.runs.iter().any(|run| read(run) != default) {
            self.add(name, kind, read);
        }
    }

    pub fn add_values<T: ToSql + Sync + Send + 'run>(&mut self, name: &'static str, kind: Type, values: Vec<T>) {
        self.names.push(name);
        self.values.push((Box::new(values), kind));
    }

    /// The names, each as `write` has it in the statement.
    pub fn list(&self, write: impl Fn(&str) -> String) -> String {
        self.names.iter().map(|name| write(name)).collect::<Vec<_>>().join(", ")
    }

    /// A table of the values that has the columns' names.
    pub fn unnest(&self) -> String {
        let numbers: Vec<String> = (1..=self.values.len()).map(|number| format!("${number}")).collect();
        format!("unnest({}) AS new ({})", numbers.join(", "), self.list(str::to_owned))
    }

    pub fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        borrowed(&self.values)
    }
}
