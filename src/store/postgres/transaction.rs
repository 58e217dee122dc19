//! How a transaction that somebody is answered for begins and ends.

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::time::timeout;
use tokio_postgres::Client;

use super::error::{classify, classify_commit};
use super::failover::standby::{IS_SET, Standby};
use super::link::connection::ANSWER_TIMEOUT;
use super::link::session::Session;
use super::rows::get;
use crate::seeded_bug::{self, Bug};
use crate::store::StoreError;

/// A server that stops in the middle of a transaction, such as a machine that is paused, gives up
/// its locks after this.
const LONGEST_SILENCE: &str = "5s";
/// Whoever waits for a lock gives up by itself before it is given up, since a server process that waits
/// does not notice that nobody listens any more, and those would pile up behind a lock that is held for long.
pub const LONGEST_LOCK_WAIT: &str = "9s";
/// Whatever the role's default, a commit waits for the standby; where it waits for more, it still does.
const WAIT_FOR_STANDBY: &str = "; SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                                     WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)";

/// A statement with a name is planned for tables that grow, and for any number of rows at once.
const PLAN_FOR_LARGE_TABLES: &str = "; SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan";

/// Waits for locks for so long at the most.
///
/// What is read after a lock must see what was committed while we waited for it, which only READ
/// COMMITTED promises, whatever the database's default. A warning at the commit must reach us.
pub async fn begin(client: &Session, lock_timeout: &str, standby: &Standby) -> Result<(), StoreError> {
    let level = if seeded_bug::is(Bug::SumRepeatableRead) { "REPEATABLE READ" } else { "READ COMMITTED" };
    let wait = if standby.is_required() { WAIT_FOR_STANDBY } else { "" };
    let plans = if client.allows_names() { PLAN_FOR_LARGE_TABLES } else { "" };
    let sql = format!(
        "BEGIN ISOLATION LEVEL {level}; SET LOCAL lock_timeout = '{lock_timeout}';
         SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_SILENCE}'; SET LOCAL client_min_messages = warning{plans}{wait}"
    );
    client.batch_execute(&sql).await.map_err(classify)
}

/// The time after the locks are taken: a simulated one, or the database's. Notes as well whether a standby is there.
pub async fn now(client: &Session, simulated: Option<Timestamp>, standby: &Standby) -> Result<Timestamp, StoreError> {
    let sql = format!("SELECT clock_timestamp(), {IS_SET}");
    let row = client.query_typed_one(&sql, &[]).await.map_err(classify)?;
    standby.note(get(&row, 1)?)?;
    simulated.map_or_else(|| get(&row, 0), Ok)
}

/// From here on no answer means that nobody knows whether it was saved.
pub async fn commit(client: &Client, standby: &Standby) -> Result<(), StoreError> {
    let committing = async {
        let commit = async { client.batch_execute("COMMIT").await.map_err(classify_commit) };
        if seeded_bug::is(Bug::AcknowledgementBeforeCommit) {
            return Box::pin(commit).now_or_never().unwrap_or(Ok(()));
        }
        commit.await?;
        if standby.is_required() { standby.check_after_commit(client).await } else { Ok(()) }
    };
    let unknown = |_| StoreError::CommitUnknown(format!("no answer to a commit within {ANSWER_TIMEOUT:?}"));
    timeout(ANSWER_TIMEOUT, committing).await.map_err(unknown)?
}
