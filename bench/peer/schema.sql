-- The table of the original's document, and what its authors would have added when it grew: a sequence for the run
-- numbers, and indexes for what the endpoints ask.
CREATE SEQUENCE test_executions_run_id AS INTEGER CACHE 1;

CREATE TABLE test_executions (
    id            UUID PRIMARY KEY,
    run_id        INTEGER NOT NULL UNIQUE DEFAULT nextval('test_executions_run_id'),
    repo          VARCHAR NOT NULL,
    lac           VARCHAR NOT NULL,
    stream        VARCHAR NOT NULL,
    test          VARCHAR NOT NULL,
    type          VARCHAR NOT NULL,
    environment   VARCHAR NOT NULL,
    triggered_by  VARCHAR NOT NULL,
    status        VARCHAR NOT NULL,
    start_time    TIMESTAMP WITH TIME ZONE NOT NULL,
    end_time      TIMESTAMP WITH TIME ZONE,
    factor        NUMERIC,
    dashboard_url VARCHAR,
    location      VARCHAR
);

CREATE INDEX test_executions_running ON test_executions (location) INCLUDE (factor) WHERE status = 'running';
CREATE INDEX test_executions_newest ON test_executions (start_time);
