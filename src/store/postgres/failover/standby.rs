//! The synchronous standby: whether every acknowledgement has to wait for one, and whether it is there.

use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::Client;

use crate::config::database::Durability;
use crate::store::StoreError;
use crate::store::postgres::error::classify;
use crate::store::postgres::link::connection::Connections;
use crate::store::postgres::rows::get;

/// How late it is noticed that a standby has gone or is back.
const PAUSE: Duration = Duration::from_millis(500);
/// Whether a commit waits for a standby, as a column; engines that only speak the protocol may not know the setting.
pub const IS_SET: &str = "coalesce(current_setting('synchronous_standby_names', true), '') <> ''";

#[derive(Debug)]
pub struct Standby {
    durability: Durability,
    /// Why nothing can be acknowledged now.
    missing: Mutex<Option<String>>,
}

impl Standby {
    pub const fn new(durability: Durability) -> Self {
        Self { durability, missing: Mutex::new(None) }
    }

    pub fn is_required(&self) -> bool {
        self.durability == Durability::Standby
    }

    /// Refuses what would have to wait for a standby that is not there.
    pub fn check(&self) -> Result<(), StoreError> {
        self.missing().clone().map_or(Ok(()), |reason| Err(StoreError::NoStandby(reason)))
    }

    /// Takes note of what a transaction has found, and refuses to go on without a standby.
    pub fn note(&self, is_set: bool) -> Result<(), StoreError> {
        if is_set || !self.is_required() { Ok(()) } else { Err(StoreError::NoStandby(none_is_set())) }
    }

    /// Whether the commit just before has waited for a standby. If none is set any more,
    /// nobody knows.
    pub async fn check_after_commit(&self, client: &Client) -> Result<(), StoreError> {
        let row = client.query_typed_one(&format!("SELECT {IS_SET}"), &[]).await;
        let is_set = row.map_err(classify).and_then(|row| get(&row, 0));
        match is_set {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::CommitUnknown(none_is_set())),
            Err(error) => Err(StoreError::CommitUnknown(error.to_string())),
        }
    }

    /// Looks whether as many standbys are there as a commit waits for, and says so where that has changed.
    pub async fn look(&self, client: &Client) -> Result<(), StoreError> {
        // Whoever may not see a standby's state still sees that there is one.
        let sql = "SELECT coalesce(current_setting('synchronous_standby_names', true), ''),
                          count(pid) FILTER (WHERE sync_state IS NULL OR sync_state IN ('sync', 'quorum'))
                     FROM pg_stat_replication";
        let row = client.query_typed_one(sql, &[]).await.map_err(classify)?;
        let (names, there): (&str, i64) = (get(&row, 0)?, get(&row, 1)?);
        let needed = needed(names);
        let reason = if names.is_empty() {
            Some(none_is_set())
        } else if there < needed {
            Some(format!("{there} of the {needed} synchronous standbys that a commit waits for are there ({names})"))
        } else {
            None
        };
        let mut missing = self.missing();
        match (&*missing, &reason) {
            (None, Some(reason)) => tracing::warn!("nothing is acknowledged without a standby: {reason}"),
            (Some(_), None) => tracing::info!("the synchronous standby is there again"),
            _ => {}
        }
        *missing = reason;
        Ok(())
    }

    fn missing(&self) -> MutexGuard<'_, Option<String>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks again and again, for as long as the store is there. While the database is away it stays as it was: then
/// nothing is acknowledged anyway.
pub async fn watch(connections: Weak<Connections>, standby: Weak<Standby>) {
    loop {
        sleep(PAUSE).await;
        let (Some(connections), Some(standby)) = (connections.upgrade(), standby.upgrade()) else { return };
        if let Err(error) = connections.run(async |client| standby.look(client).await).await {
            tracing::debug!("the standby could not be looked for: {error}");
        }
    }
}

fn none_is_set() -> String {
    "PostgreSQL's synchronous_standby_names is empty, so that no commit waits for a standby".to_owned()
}

/// How many standbys a commit waits for, by the value of `synchronous_standby_names`: `FIRST 2 (a, b, c)`,
/// `ANY 2 (a, b, c)`, `2 (a, b, c)`, or one of `a, b, c`.
fn needed(names: &str) -> i64 {
    let Some((count, _)) = names.split_once('(') else { return 1 };
    count.split_whitespace().last().and_then(|count| count.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_says_how_many_standbys_a_commit_waits_for() {
        for (names, count) in [
            ("a", 1),
            ("*", 1),
            ("a, b", 1),
            ("2 (a, b, c)", 2),
            ("FIRST 3 (a, b, c)", 3),
            ("any 2(a, b, c)", 2),
            ("ANY 12 (\"a\", *)", 12),
        ] {
            assert_eq!(needed(names), count, "{names}");
        }
    }
}
