-- The columns of the original system keep their names and types, since dashboards read them.
-- factor is what people read; factor_millionths is what is added up.
-- An adopted table is already there and has these columns.
CREATE TABLE IF NOT EXISTS test_executions (
    id                UUID PRIMARY KEY,
    run_id            BIGINT NOT NULL,
    repo              VARCHAR NOT NULL,
    lac               VARCHAR NOT NULL,
    stream            VARCHAR NOT NULL,
    test              VARCHAR NOT NULL,
    type              VARCHAR NOT NULL,
    environment       VARCHAR NOT NULL,
    triggered_by      VARCHAR NOT NULL,
    status            VARCHAR NOT NULL,
    start_time        TIMESTAMP WITH TIME ZONE NOT NULL,
    end_time          TIMESTAMP WITH TIME ZONE,
    factor            NUMERIC,
    dashboard_url     VARCHAR,
    location          VARCHAR,
    factor_millionths BIGINT,
    extra             JSON NOT NULL DEFAULT '{}'
);

CREATE UNIQUE INDEX perfreg_executions_run_id ON test_executions (run_id);
CREATE INDEX perfreg_executions_newest ON test_executions (start_time, run_id);
CREATE INDEX perfreg_executions_running ON test_executions (location, factor_millionths) WHERE status = 'running';

CREATE SEQUENCE perfreg_run_id AS BIGINT OWNED BY test_executions.run_id;
SELECT setval('perfreg_run_id', coalesce(max(run_id), 0) + 1, false) FROM test_executions;

-- used_millionths is written in the transaction of every start and end at the location.
-- The row with the empty name stands for the tests that name no location.
CREATE TABLE perfreg_locations (
    name                TEXT PRIMARY KEY,
    capacity_millionths BIGINT NOT NULL CHECK (capacity_millionths > 0),
    used_millionths     BIGINT NOT NULL CHECK (used_millionths >= 0),
    running             BIGINT NOT NULL CHECK (running >= 0),
    fence               BIGINT NOT NULL
) WITH (fillfactor = 50);

INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence)
SELECT coalesce(location, ''),
       1000000,
       coalesce(sum(factor_millionths) FILTER (WHERE status = 'running'), 0),
       count(*) FILTER (WHERE status = 'running'),
       0
  FROM test_executions
 GROUP BY coalesce(location, '');

-- Every text that a list can be searched by, once, beside its case-folded form.
-- COLLATE "C" lets LIKE use the index on every server, whatever its locale.
CREATE TABLE perfreg_terms (
    field  TEXT NOT NULL,
    term   TEXT NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (field, term)
);

CREATE INDEX perfreg_terms_folded ON perfreg_terms (field, folded);
