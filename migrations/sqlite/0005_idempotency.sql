-- The first answers to registrations with an Idempotency-Key, saved with what they decided.
CREATE TABLE perfreg_idempotency_keys (
    -- Hashes, never the key: with the salt it makes the secret of a lease.
    key_hash     TEXT PRIMARY KEY,
    request_hash TEXT NOT NULL,
    salt         TEXT NOT NULL,
    kept_at      TEXT NOT NULL,
    execution_id TEXT,
    answer       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX perfreg_idempotency_keys_kept_at ON perfreg_idempotency_keys (kept_at);
