//! First answers, to be given again.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::error::classify;
use super::link::session::{Execute, Session};
use super::reading;
use super::rows::get;
use crate::domain::admission::Command;
use crate::domain::admission::keyed;
use crate::domain::answer::Answer;
use crate::domain::answer::FirstAnswer;
use crate::domain::execution::idempotency::{IdempotencyKey, KEPT_FOR};
use crate::store::decision::Decision;
use crate::store::{StoreError, answer_text};

/// What the keys of these commands were first answered with, by the hash of the key.
pub async fn find(
    client: &Session,
    commands: impl Iterator<Item = &Command>,
    now: Timestamp,
) -> Result<HashMap<String, FirstAnswer>, StoreError> {
    let hashes: Vec<&str> = commands.filter_map(|command| Some(command.key()?.hash.as_str())).collect();
    if hashes.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT key_hash, request_hash, salt, execution_id, answer FROM perfreg_idempotency_keys
                WHERE key_hash = ANY($1) AND kept_at > $2";
    let found = client
        .query(sql, &[(&hashes, Type::TEXT_ARRAY), (&(now - KEPT_FOR), Type::TIMESTAMPTZ)])
        .await
        .map_err(classify)?;
    let ids: Vec<Option<Uuid>> = found.iter().map(|row| get(row, 3)).collect::<Result<_, _>>()?;
    let ids: Vec<Uuid> = ids.into_iter().flatten().collect();
    let runs = reading::by_id(client, &ids).await?;
    let first = |row| {
        let key = IdempotencyKey { hash: get(row, 0)?, request_hash: get(row, 1)?, salt: get(row, 2)? };
        let run = get::<Option<Uuid>>(row, 3)?.and_then(|id| runs.get(&id));
        Ok((key.hash.clone(), FirstAnswer { key, answer: answer_text::read(get(row, 4)?, run)? }))
    };
    found.iter().map(first).collect()
}

/// The answers that were given to a key for the first time.
pub fn first_answers<'batch>(decisions: &'batch [Decision<'_>]) -> Vec<(&'batch IdempotencyKey, &'batch Answer)> {
    let mut first: Vec<_> =
        decisions.iter().flat_map(|decision| keyed(&decision.lane.commands, &decision.answers)).collect();
    // Two transactions that write the same keys must not wait for each other in a circle.
    first.sort_by_key(|(key, _)| &key.hash);
    first
}

/// Keeps the answers that were given to a key for the first time.
pub async fn insert(client: &Session, first: &[(&IdempotencyKey, &Answer)], now: Timestamp) -> Result<(), StoreError> {
    if first.is_empty() {
        return Ok(());
    }
    let texts: Vec<(String, Option<Uuid>)> =
        first.iter().map(|(_, answer)| answer_text::write(answer)).collect::<Result<_, _>>()?;
    let keys = |read: fn(&IdempotencyKey) -> &str| -> Vec<&str> { first.iter().map(|(key, _)| read(key)).collect() };
    let ids: Vec<Option<Uuid>> = texts.iter().map(|(_, id)| *id).collect();
    let answers: Vec<&str> = texts.iter().map(|(text, _)| text.as_str()).collect();
    let count = client
        .execute(
            "INSERT INTO perfreg_idempotency_keys (key_hash, request_hash, salt, kept_at, execution_id, answer)
             SELECT key_hash, request_hash, salt, $1, execution_id, answer
               FROM unnest($3, $4, $5, $6, $7) AS new (key_hash, request_hash, salt, execution_id, answer)
                 ON CONFLICT (key_hash) DO UPDATE
                SET request_hash = excluded.request_hash, salt = excluded.salt, kept_at = excluded.kept_at,
                    execution_id = excluded.execution_id, answer = excluded.answer
              WHERE perfreg_idempotency_keys.kept_at <= $2",
            &[
                (&now, Type::TIMESTAMPTZ),
                (&(now - KEPT_FOR), Type::TIMESTAMPTZ),
                (&keys(|key| &key.hash), Type::TEXT_ARRAY),
                (&keys(|key| &key.request_hash), Type::TEXT_ARRAY),
                (&keys(|key| &key.salt), Type::TEXT_ARRAY),
                (&ids, Type::UUID_ARRAY),
                (&answers, Type::TEXT_ARRAY),
            ],
        )
        .await
        .map_err(classify)?;
    // The same key was used for another location in the same moment.
    let taken = || StoreError::Conflict("another request has just used the same idempotency key".to_owned());
    if count == first.len() as u64 { Ok(()) } else { Err(taken()) }
}

/// Deletes some of the answers from before that time, and says how many.
pub async fn forget(client: &Session, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM perfreg_idempotency_keys WHERE key_hash IN
                 (SELECT key_hash FROM perfreg_idempotency_keys WHERE kept_at < $1 ORDER BY kept_at LIMIT $2)";
    let limit = limit as i64;
    let count =
        client.execute_typed(sql, &[(&before, Type::TIMESTAMPTZ), (&limit, Type::INT8)]).await.map_err(classify)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}
