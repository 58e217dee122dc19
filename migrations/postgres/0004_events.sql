-- What happened, and what was weighed. An event's place among all is that of its transaction:
-- everything below the oldest transaction that still runs is final, so that nobody who reads on
-- from there misses one that was saved late.
CREATE TABLE perfreg_events (
    position BIGINT NOT NULL,
    number   BIGINT NOT NULL,
    at       TIMESTAMP WITH TIME ZONE NOT NULL,
    kind     TEXT NOT NULL,
    run_id   BIGINT,
    -- The empty name stands for the tests that name no location; NULL for the whole registry.
    location TEXT,
    asked_by TEXT,
    facts    JSON NOT NULL,
    PRIMARY KEY (position, number)
);

CREATE SEQUENCE perfreg_event_number AS BIGINT OWNED BY perfreg_events.number;
CREATE INDEX perfreg_events_run_id ON perfreg_events (run_id, position, number) WHERE run_id IS NOT NULL;
CREATE INDEX perfreg_events_location ON perfreg_events (location, position, number);
CREATE INDEX perfreg_events_at ON perfreg_events USING brin (at) WITH (autosummarize = on);

-- Added to a transaction's id. It grows if those ids begin anew, as in a database that was
-- dumped and restored.
ALTER TABLE perfreg_registry ADD COLUMN event_offset BIGINT NOT NULL DEFAULT 0;
