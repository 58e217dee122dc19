//! First answers, to be given again.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::connection::classify;
use super::rows::{self, timestamp_text};
use crate::domain::admission::Command;
use crate::domain::admission::keyed;
use crate::domain::answer::Answer;
use crate::domain::answer::FirstAnswer;
use crate::domain::execution::idempotency::{IdempotencyKey, KEPT_FOR};
use crate::store::{StoreError, answer_text};

/// What the keys of these commands were first answered with.
pub fn find(
    transaction: &Transaction<'_>,
    commands: &[Command],
    now: Timestamp,
) -> Result<Vec<FirstAnswer>, StoreError> {
    let mut found = Vec::new();
    for key in commands.iter().filter_map(Command::key) {
        let saved = transaction
            .prepare_cached(
                "SELECT request_hash, salt, execution_id, answer FROM perfreg_idempotency_keys
                  WHERE key_hash = ?1 AND kept_at > ?2",
            )
            .and_then(|mut select| {
                let kept_since = timestamp_text(now - KEPT_FOR);
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
                select.query_row(params![key.hash, kept_since], read).optional()
            })
            .map_err(classify)?;
        let Some((request_hash, salt, id, text)): Option<(String, String, Option<String>, String)> = saved else {
            continue;
        };
        let sql = format!("SELECT {} FROM test_executions WHERE id = ?1", rows::EXECUTION_COLUMNS);
        let run = match id {
            Some(id) => transaction
                .prepare_cached(&sql)
                .and_then(|mut select| select.query_row([id], rows::execution).optional())
                .map_err(classify)?,
            None => None,
        };
        let answer = answer_text::read(&text, run.as_ref())?;
        found.push(FirstAnswer { key: IdempotencyKey { hash: key.hash.clone(), request_hash, salt }, answer });
    }
    Ok(found)
}

/// Keeps the answers that were given to a key for the first time.
pub fn insert(
    transaction: &Transaction<'_>,
    commands: &[Command],
    answers: &[Answer],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (key, answer) in keyed(commands, answers) {
        let (text, id) = answer_text::write(answer)?;
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO perfreg_idempotency_keys
                        (key_hash, request_hash, salt, kept_at, execution_id, answer)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut insert| {
                let id = id.map(|id| id.to_string());
                insert.execute(params![key.hash, key.request_hash, key.salt, timestamp_text(now), id, text])
            })
            .map_err(classify)?;
    }
    Ok(())
}

/// Deletes some of the answers from before that time, and says how many.
pub fn forget(connection: &Connection, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM perfreg_idempotency_keys WHERE key_hash IN
                 (SELECT key_hash FROM perfreg_idempotency_keys WHERE kept_at < ?1 ORDER BY kept_at LIMIT ?2)";
    connection.execute(sql, params![timestamp_text(before), limit as i64]).map_err(classify)
}
