-- Waiting for a location, leases, and stopping.
ALTER TABLE test_executions ADD COLUMN priority INTEGER NOT NULL DEFAULT 5;
ALTER TABLE test_executions ADD COLUMN queued_at TEXT;
ALTER TABLE test_executions ADD COLUMN wait_until TEXT;
ALTER TABLE test_executions ADD COLUMN heard_at TEXT;
ALTER TABLE test_executions ADD COLUMN lease_seconds INTEGER;
-- The SHA-256 of the secret, never the secret.
ALTER TABLE test_executions ADD COLUMN lease_token_hash TEXT;
ALTER TABLE test_executions ADD COLUMN lease_expires_at TEXT;
ALTER TABLE test_executions ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0;
ALTER TABLE test_executions ADD COLUMN fence INTEGER;
ALTER TABLE test_executions ADD COLUMN stop_reason TEXT;
ALTER TABLE test_executions ADD COLUMN stop_by TEXT;
ALTER TABLE test_executions ADD COLUMN stop_at TEXT;
ALTER TABLE test_executions ADD COLUMN end_reason TEXT;
ALTER TABLE test_executions ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

CREATE INDEX perfreg_executions_queued ON test_executions (location) WHERE status = 'queued';
CREATE INDEX perfreg_executions_leased ON test_executions (location)
    WHERE status = 'running' AND lease_seconds IS NOT NULL;

ALTER TABLE perfreg_locations ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
ALTER TABLE perfreg_locations ADD COLUMN leased INTEGER NOT NULL DEFAULT 0;
ALTER TABLE perfreg_locations ADD COLUMN state TEXT NOT NULL DEFAULT 'open';
ALTER TABLE perfreg_locations ADD COLUMN state_reason TEXT;
ALTER TABLE perfreg_locations ADD COLUMN state_by TEXT;
ALTER TABLE perfreg_locations ADD COLUMN state_until TEXT;
ALTER TABLE perfreg_locations ADD COLUMN next_due TEXT;

CREATE INDEX perfreg_locations_next_due ON perfreg_locations (next_due) WHERE next_due IS NOT NULL;

-- The state of the whole registry, in one row.
CREATE TABLE perfreg_registry (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    state        TEXT NOT NULL,
    state_reason TEXT,
    state_by     TEXT,
    state_until  TEXT
) STRICT;

INSERT INTO perfreg_registry (id, state) VALUES (1, 'open');
