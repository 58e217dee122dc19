//! A connection to the server, and the statements that have a name on it.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

use crate::store::postgres::link::pooler;

/// So many statements of a session get a name. There are some twenty; an insertion has as many forms as there are
/// choices of columns that somebody uses.
const MOST_NAMED: usize = 100;
/// Plans are made anew after this, if not before.
const LONGEST_PLANNED: Duration = Duration::from_mins(1);

/// What a statement is sent with.
pub type Parameters<'value> = [(&'value (dyn ToSql + Sync), Type)];

/// A statement with a name is parsed and planned once for the session, which takes half of the server's
/// time off a transaction of a single command. One is named after it has been run, before the next
/// transaction: in the middle of one, what is sent behind it would overtake it.
///
/// What is sent by the methods of [`Client`] has no name, as is right for whatever is no part of a decision.
pub struct Session {
    client: Client,
    driving: JoinHandle<()>,
    /// None where the next transaction may run in another session.
    statements: Option<Mutex<Statements>>,
}

#[derive(Default)]
struct Statements {
    named: HashMap<String, Statement>,
    to_name: HashMap<String, Vec<Type>>,
    plans: Plans,
}

/// How old the plans are. One that was made while a table was small reads all of it for ever; it takes the
/// server's own look at the table, which may be a minute away or switched off, to make another.
struct Plans {
    made_at: Instant,
    transactions: u64,
    next_at_transaction: u64,
}

impl Default for Plans {
    fn default() -> Self {
        Self { made_at: Instant::now(), transactions: 0, next_at_transaction: 1 }
    }
}

impl Plans {
    /// Counts a transaction, and says whether plans are to be made anew before it: whenever there have been twice
    /// as many, so that a table that this session fills has at the most doubled.
    fn are_outdated(&mut self) -> bool {
        self.transactions += 1;
        let are_outdated = self.transactions >= self.next_at_transaction || self.made_at.elapsed() > LONGEST_PLANNED;
        if are_outdated {
            self.next_at_transaction = self.transactions * 2;
            self.made_at = Instant::now();
        }
        are_outdated
    }
}

impl Session {
    /// On which no statement has a name. It ends with what drives it.
    pub const fn new(client: Client, driving: JoinHandle<()>) -> Self {
        Self { client, driving, statements: None }
    }

    /// From now on statements get names, unless a pooler stands between.
    pub async fn allow_names(&mut self) -> Result<(), Error> {
        if pooler::is_direct(&self.client).await? {
            self.statements = Some(Mutex::default());
        }
        Ok(())
    }

    pub const fn allows_names(&self) -> bool {
        self.statements.is_some()
    }

    /// Names what has been run without a name, and has old plans made anew. To be called before each transaction in
    /// which statements may have names.
    pub async fn name_statements(&self) -> Result<(), Error> {
        let due = |mut statements: MutexGuard<'_, Statements>| {
            (std::mem::take(&mut statements.to_name), statements.plans.are_outdated())
        };
        let Some((to_name, are_outdated)) = self.statements().map(due) else { return Ok(()) };
        if are_outdated {
            self.client.batch_execute("DISCARD PLANS").await?;
        }
        let prepared = join_all(to_name.iter().map(|(sql, types)| self.client.prepare_typed(sql, types))).await;
        for (sql, prepared) in to_name.into_keys().zip(prepared) {
            match (prepared, self.statements()) {
                (Ok(statement), Some(mut statements)) => _ = statements.named.insert(sql, statement),
                // One that the database refuses had no name before either, and is no part of what comes next.
                (Err(error), _) if error.as_db_error().is_none() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    pub async fn query(&self, sql: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, Error> {
        match self.named(sql, parameters) {
            Some(statement) => self.client.query(&statement, &values(parameters)).await,
            None => self.client.query_typed(sql, parameters).await,
        }
    }

    pub async fn query_one(&self, sql: &str, parameters: &Parameters<'_>) -> Result<Row, Error> {
        match self.named(sql, parameters) {
            Some(statement) => self.client.query_one(&statement, &values(parameters)).await,
            None => self.client.query_typed_one(sql, parameters).await,
        }
    }

    pub async fn query_opt(&self, sql: &str, parameters: &Parameters<'_>) -> Result<Option<Row>, Error> {
        match self.named(sql, parameters) {
            Some(statement) => self.client.query_opt(&statement, &values(parameters)).await,
            None => self.client.query_typed_opt(sql, parameters).await,
        }
    }

    /// The statement, if it has a name; else it will get one.
    fn named(&self, sql: &str, parameters: &Parameters<'_>) -> Option<Statement> {
        let mut statements = self.statements()?;
        let named = statements.named.get(sql).cloned();
        if named.is_none() && statements.named.len() + statements.to_name.len() < MOST_NAMED {
            let types = parameters.iter().map(|(_, kind)| kind.clone()).collect();
            statements.to_name.insert(sql.to_owned(), types);
        }
        named
    }

    fn statements(&self) -> Option<MutexGuard<'_, Statements>> {
        self.statements.as_ref().map(|statements| statements.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What changes rows: a session, or what a transaction gives for it, in which no statement has a name.
pub trait Execute: Sync {
    /// Says how many rows were changed.
    fn execute(&self, sql: &str, parameters: &Parameters<'_>) -> impl Future<Output = Result<u64, Error>> + Send;
}

impl Execute for Session {
    async fn execute(&self, sql: &str, parameters: &Parameters<'_>) -> Result<u64, Error> {
        match self.named(sql, parameters) {
            Some(statement) => self.client.execute(&statement, &values(parameters)).await,
            None => self.client.execute_typed(sql, parameters).await,
        }
    }
}

impl Execute for Client {
    async fn execute(&self, sql: &str, parameters: &Parameters<'_>) -> Result<u64, Error> {
        self.execute_typed(sql, parameters).await
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

fn values<'value>(parameters: &Parameters<'value>) -> Vec<&'value (dyn ToSql + Sync)> {
    parameters.iter().map(|(value, _)| *value).collect()
}

#[cfg(test)]
mod tests {
    use super::Plans;

    #[test]
    fn plans_are_made_anew_whenever_there_have_been_twice_as_many_transactions() {
        let mut plans = Plans::default();
        let anew: Vec<u64> = (1..=100).filter(|_| plans.are_outdated()).collect();
        assert_eq!(anew, [1, 2, 4, 8, 16, 32, 64]);
    }
}
