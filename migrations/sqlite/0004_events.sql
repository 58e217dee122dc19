-- What happened, and what was weighed. One writer at a time means that the numbers grow in the
-- order in which they become visible.
CREATE TABLE perfreg_events (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    at       TEXT NOT NULL,
    kind     TEXT NOT NULL,
    run_id   INTEGER,
    -- The empty name stands for the tests that name no location; NULL for the whole registry.
    location TEXT,
    asked_by TEXT,
    facts    TEXT NOT NULL
) STRICT;

CREATE INDEX perfreg_events_run_id ON perfreg_events (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX perfreg_events_location ON perfreg_events (location);
CREATE INDEX perfreg_events_at ON perfreg_events (at);
