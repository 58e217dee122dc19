-- What the service is compared with: one row a location, whose lock is all that bounds it, and the runs with the columns
-- of the original.
CREATE TABLE location (
    id   INTEGER PRIMARY KEY,
    used NUMERIC NOT NULL
) WITH (fillfactor = 50);

INSERT INTO location (id, used) SELECT number, 0 FROM generate_series(1, 100) AS number;

CREATE TABLE run (
    id            UUID PRIMARY KEY,
    run_id        BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
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
