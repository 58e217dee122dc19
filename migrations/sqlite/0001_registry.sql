-- The columns of the original system keep their names, since dashboards read them.
-- factor is what people read; factor_millionths is what is added up.
CREATE TABLE test_executions (
    run_id            INTEGER PRIMARY KEY AUTOINCREMENT,
    id                TEXT NOT NULL UNIQUE,
    repo              TEXT NOT NULL,
    lac               TEXT NOT NULL,
    stream            TEXT NOT NULL,
    test              TEXT NOT NULL,
    type              TEXT NOT NULL,
    environment       TEXT NOT NULL,
    triggered_by      TEXT NOT NULL,
    status            TEXT NOT NULL,
    start_time        TEXT NOT NULL,
    end_time          TEXT,
    factor            REAL GENERATED ALWAYS AS (factor_millionths / 1000000.0) VIRTUAL,
    dashboard_url     TEXT,
    location          TEXT,
    factor_millionths INTEGER,
    extra             TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE INDEX perfreg_executions_newest ON test_executions (start_time, run_id);
CREATE INDEX perfreg_executions_running ON test_executions (location, factor_millionths) WHERE status = 'running';

-- used_millionths is written in the transaction of every start and end at the location.
-- The row with the empty name stands for the tests that name no location.
CREATE TABLE perfreg_locations (
    name                TEXT PRIMARY KEY,
    capacity_millionths INTEGER NOT NULL CHECK (capacity_millionths > 0),
    used_millionths     INTEGER NOT NULL CHECK (used_millionths >= 0),
    running             INTEGER NOT NULL CHECK (running >= 0),
    fence               INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every text that a list can be searched by, once, beside its case-folded form.
CREATE TABLE perfreg_terms (
    field  TEXT NOT NULL,
    term   TEXT NOT NULL,
    folded TEXT NOT NULL,
    PRIMARY KEY (field, term)
) STRICT, WITHOUT ROWID;

CREATE INDEX perfreg_terms_folded ON perfreg_terms (field, folded);
